# employment.csv: the panel of 140 firms of Arellano & Bond (1991), in logarithms, from plm; employment.json: their employment equation by plm's pgmm, Table 4, columns (a1), (a2) and (b).
source("tests/reference/make/common.R")
suppressPackageStartupMessages(library(plm))
data("EmplUK", package = "plm")
d <- data.frame(firm = EmplUK$firm, year = EmplUK$year, n = log(EmplUK$emp), w = log(EmplUK$wage), k = log(EmplUK$capital), ys = log(EmplUK$output))
d[3:6] <- round(d[3:6], 9)
write.csv(d, "tests/reference/employment.csv", row.names = FALSE, quote = FALSE)
d <- pdata.frame(d, index = c("firm", "year"))
a <- n ~ lag(n, 1:2) + lag(w, 0:1) + lag(k, 0:2) + lag(ys, 0:2) | lag(n, 2:99)
b <- n ~ lag(n, 1:2) + lag(w, 0:1) + k + lag(ys, 0:1) | lag(n, 2:99)
fit <- function(formula, model, robust) {
  m <- pgmm(formula, data = d, effect = "twoways", model = model, transformation = "d")
  v <- if (robust) vcovHC(m) else vcov(m)
  slopes <- 1:(length(coef(m)) - 6)
  list(estimates = vec(coef(m)[slopes]), errors = vec(sqrt(diag(v))[slopes]), autocorrelation = vec(sapply(1:2, function(o) mtest(m, order = o, vcov = v)$statistic)), hansen = vec(sargan(m)$statistic))
}
save_fixture("employment", "employment.R", software("plm"), "tests/reference/employment.csv",
  list(a1 = fit(a, "onestep", TRUE), a2 = fit(a, "twosteps", TRUE), b = fit(b, "twosteps", TRUE)),
  tolerance = 1e-7, note = "Errors of two steps are Windmeijer's; Table 4 prints those without.")
