# Nearest-neighbour matching with replacement: effects and Abadie–Imbens errors by Matching, on the NSW trial and on simulated data.
source("tests/reference/make/common.R")
suppressPackageStartupMessages(library(Matching))

one <- function(Y, Tr, X, ...) {
  m <- suppressWarnings(Match(Y = Y, Tr = Tr, X = X, distance.tolerance = 1e-9, ...))
  vec(c(m$est[1], m$se))
}
nsw <- dataset("nsw_mixtape")
x <- as.matrix(nsw[, c("age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75")])
sim <- generated("causal")
sx <- as.matrix(sim[, c("x1", "x2")])
e <- glm(treat ~ age + educ + black + hisp + marr + nodegree + re74 + re75, binomial, nsw, control = list(epsilon = 1e-14, maxit = 50))$fitted

nearest <- list()
for (estimand in c("ATE", "ATT", "ATC")) for (weight in 1:2) for (M in c(1, 4)) for (J in c(1, 3)) for (bias in c(FALSE, TRUE)) {
  nearest[[length(nearest) + 1]] <- list(estimand = estimand, mahalanobis = weight == 2, neighbours = M, variance = J, bias = bias,
    nsw = one(nsw$re78, nsw$treat, x, estimand = estimand, Weight = weight, M = M, Var.calc = J, BiasAdjust = bias),
    causal = one(sim$y, sim$w, sx, estimand = estimand, Weight = weight, M = M, Var.calc = J, BiasAdjust = bias))
}
limits <- list()
for (estimand in c("ATE", "ATT", "ATC")) {
  limits[[length(limits) + 1]] <- list(estimand = estimand,
    caliper = vec(unlist(suppressWarnings(Match(Y = sim$y, Tr = sim$w, X = sx, estimand = estimand, Weight = 2, caliper = c(0.05, 0.2), distance.tolerance = 1e-9))[c("est", "ndrops")])),
    propensity = one(nsw$re78, nsw$treat, e, estimand = estimand, M = 2, Var.calc = 2))
}
save_fixture("matching", "matching.R", software("Matching", "MatchIt"), c("datasets/nsw_mixtape.csv", "tests/reference/causal.csv"),
             list(nearest = nearest, limits = limits), tolerance = 1e-6,
             note = "Effect and standard error. Matching counts distances within 1e-9 as ties. caliper: effect and rows without a match, within 0.05 and 0.2 standard deviations of x1 and x2; its errors count dropped rows and are not taken. propensity: known, without the adjustment for its estimation.")
