# Difference GMM by plm's pgmm on dynamic_panel.csv: robust errors of one step, Windmeijer's of two, tests for autocorrelation with them, Hansen's and Sargan's tests.
# pydynpd 0.2.2 makes the one-step test for autocorrelation with scores of the second step; plm does not.
source("tests/reference/make/common.R")
suppressPackageStartupMessages(library(plm))

d <- pdata.frame(generated("dynamic_panel"), index = c("firm", "year"))
fit <- function(model) pgmm(y ~ lag(y, 1) + x + w | lag(y, 2:99) + lag(x, 1:99) | w, data = d, effect = "individual", model = model, transformation = "d")
summarised <- function(m) {
  v <- vcovHC(m)
  list(estimates = vec(coef(m)), errors = vec(sqrt(diag(v))), autocorrelation = vec(sapply(1:2, function(k) mtest(m, order = k, vcov = v)$statistic)))
}
one <- fit("onestep")
two <- fit("twosteps")
# plm's quadratic form has the number of units as a factor and not the variance of the errors.
e <- unlist(residuals(one))
n <- sum(sapply(residuals(one), function(r) sum(r != 0)))
variance <- sum(e^2) / (2 * (n - 3))
sargan_one <- sargan(one, weights = "onestep")$statistic / length(residuals(one)) / variance
save_fixture("dynamic_panel_r", "dynamic_panel.R", software("plm"), "tests/reference/dynamic_panel.csv",
  list(one = summarised(one), two = summarised(two), hansen = vec(sargan(two)$statistic), sargan = vec(sargan_one), differences = n),
  tolerance = 1e-7, note = "Instruments: lags 2 and more of y, 1 and more of x, the difference of w.")
