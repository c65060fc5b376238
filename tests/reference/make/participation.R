# participation_r.json: interval regressions by survival's survreg and a probit by glm, an independent check of participation.json and of the crate.
source("tests/reference/make/common.R")
suppressPackageStartupMessages(library(survival))
d <- generated("participation")
tight <- survreg.control(rel.tolerance = 1e-13, maxiter = 200)
interval <- function(low, high, formula, dist) {
  d$low <- low
  d$high <- high
  m <- survreg(update(formula, Surv(low, high, type = "interval2") ~ .), data = d, dist = dist, control = tight)
  list(names = I(c(names(coef(m)), "ln_sigma")), estimates = c(unname(coef(m)), log(m$scale)), classical = unname(vcov(m)), log_likelihood = m$loglik[2])
}
open_low <- function(x) ifelse(is.infinite(x), NA, x)
bdm <- interval(with(d, ifelse(cost == 0, NA, ifelse(cost == 10, cost - 0.25, cost - 0.25))), with(d, ifelse(cost == 10, NA, cost + 0.25)), ~ ability + arm, "gaussian")
beliefs <- interval(open_low(qnorm(pmax(d$report - 0.05, 0))), open_low(qnorm(pmin(d$report + 0.05, 1))), ~ability, "gaussian")
low <- with(d, ifelse(yes == 1, ifelse(yes2 == 1, bid2, bid), ifelse(yes2 == 1, bid2, NA)))
high <- with(d, ifelse(yes == 1, ifelse(yes2 == 1, NA, bid2), ifelse(yes2 == 1, bid, bid2)))
double <- interval(low, high, ~ability, "logistic")
probit <- glm(yes ~ ability + bid, binomial("probit"), d, control = glm.control(1e-14, 100))
single <- list(names = I(names(coef(probit))), estimates = unname(coef(probit)), log_likelihood = as.numeric(logLik(probit)))
save_fixture("participation_r", "participation.R", software("survival"), "tests/reference/participation.csv",
  list(bdm = bdm, beliefs = beliefs, double_bounded = double, single_bounded = single),
  note = "survreg has the amount itself: coefficients of the index are its over the scale, that of the bid is minus one over the scale.", tolerance = 1e-6)
