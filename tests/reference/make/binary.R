# binary_r.json: leverage-based covariances of a logit (sandwich, clubSandwich).
source("tests/reference/make/common.R")
suppressPackageStartupMessages({library(sandwich); library(clubSandwich)})
d <- dataset("thornton_hiv")
d <- d[complete.cases(d[, c("got", "any", "tinc", "distvct", "age", "villnum")]), ]
fit <- glm(got ~ any + tinc + distvct + age, binomial, d, control = glm.control(epsilon = 1e-15, maxit = 100))
cr2 <- vcovCR(fit, cluster = d$villnum, type = "CR2")
values <- list(thornton_logit = list(
  data = "datasets/thornton_hiv.csv", formula = "got ~ any + tinc + distvct + age", cluster = "villnum",
  names = names(coef(fit)), estimates = vec(coef(fit)),
  covariance = list(HC2 = rows(vcovHC(fit, "HC2")), HC3 = rows(vcovHC(fit, "HC3")), CR2 = rows(as.matrix(cr2)))))
save_fixture("binary_r", "binary.R", software("sandwich", "clubSandwich"), "datasets/thornton_hiv.csv", values,
  note = "Leverages are those of the last weighted least squares (hatvalues). For the logit the expected and the observed information agree.")
