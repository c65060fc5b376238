# Coarsened exact matching and subclassification: strata by MatchIt; effects, variances and joint imbalance by their formulas.
source("tests/reference/make/common.R")
suppressPackageStartupMessages(library(MatchIt))
sim <- generated("causal")

effect <- function(stratum, estimand) {
  use <- !is.na(stratum)
  cell <- function(f, arm) tapply(sim$y[use & sim$w == arm], factor(stratum)[use & sim$w == arm], f)
  n <- cbind(cell(length, 0), cell(length, 1)); n[is.na(n)] <- 0
  both <- n[, 1] > 0 & n[, 2] > 0
  m <- cbind(cell(mean, 0), cell(mean, 1))[both, , drop = FALSE]
  v <- cbind(cell(var, 0), cell(var, 1))[both, , drop = FALSE]
  n <- n[both, , drop = FALSE]
  for (arm in 1:2) {
    pooled <- sum(v[, arm] * (n[, arm] - 1), na.rm = TRUE) / sum(n[, arm] - 1)
    v[n[, arm] == 1, arm] <- pooled
  }
  size <- switch(estimand, ATT = n[, 2], ATC = n[, 1], ATE = rowSums(n))
  share <- size / sum(size)
  d <- m[, 2] - m[, 1]
  tau <- sum(share * d)
  own <- rowSums(v / n)
  vec(c(tau, sqrt(sum(share^2 * own) + max(0, sum(share * ((d - tau)^2 - own))) / sum(size)), sum(both)))
}
cut_x1 <- c(-1.5, -0.5, 0.5, 1.5)
values <- list()
for (estimand in c("ATE", "ATT", "ATC")) {
  cem <- matchit(w ~ x1 + x2, sim, method = "cem", estimand = estimand, cutpoints = list(x1 = cut_x1, x2 = 5))
  sub <- matchit(w ~ x1 + x2, sim, method = "subclass", estimand = estimand, subclass = 6, distance = "glm")
  values[[estimand]] <- list(coarsened = effect(cem$subclass, estimand), propensity = effect(sub$subclass, estimand))
}
# Joint imbalance: bins of even width, as many as Scott's rule asks for, before and with the weights of the first matching.
bins <- function(x) { k <- ceiling(diff(range(x)) / (3.49 * sd(x) * length(x)^(-1 / 3))); findInterval(x, seq(min(x), max(x), length.out = k + 1), all.inside = TRUE) }
key <- paste(bins(sim$x1), bins(sim$x2))
l1 <- function(weights) { f <- function(arm) { s <- tapply(weights * (sim$w == arm), key, sum); s / sum(s) }; sum(abs(f(1) - f(0))) / 2 }
cem <- matchit(w ~ x1 + x2, sim, method = "cem", estimand = "ATT", cutpoints = list(x1 = cut_x1, x2 = 5))
values$imbalance <- vec(c(l1(rep(1, nrow(sim))), l1(cem$weights)))
save_fixture("stratification", "stratification.R", software("MatchIt"), "tests/reference/causal.csv", values,
             note = "Effect, standard error, strata with both arms: x1 cut at -1.5, -0.5, 0.5, 1.5 and x2 in five bins; six classes of the propensity. imbalance: before and after the first for the ATT.")
