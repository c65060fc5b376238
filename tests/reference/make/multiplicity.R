# Adjusted p-values (stats::p.adjust), Dunnett's test (multcomp) and many-to-one tails (mvtnorm).
library(jsonlite); library(multcomp); library(mvtnorm)
cases <- list(
  benjamini = c(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
  ties = c(0.03, 0.01, 0.03, 0.5, 0.01, 0.9, 0.03, 0),
  few = c(0.04, 0.02),
  one = 0.3,
  none = c(0.6, 0.7, 0.9, 0.95))
methods <- c("bonferroni", "holm", "hochberg", "hommel", "BH", "BY")
adjusted <- lapply(cases, function(p) { out <- lapply(methods, function(m) I(p.adjust(p, m))); names(out) <- methods; c(list(p = I(p)), out) })
nsw <- read.csv("datasets/nsw_mixtape.csv")
nsw$band <- cut(nsw$age, c(0, 19, 24, 30, 99), labels = c("teen", "young", "middle", "old"))
fit <- aov(re78 ~ band, data = nsw)
g <- glht(fit, linfct = mcp(band = "Dunnett"))
set.seed(1)
s <- summary(g, test = adjusted("single-step", abseps = 1e-8, maxpts = 5e6))
tails <- list()
for (case in list(list(n = c(10, 20, 40), n0 = 30, df = 17), list(n = c(5, 5), n0 = 50, df = 8), list(n = rep(12, 6), n0 = 12, df = 77))) {
  l <- sqrt(case$n / (case$n + case$n0)); R <- outer(l, l); diag(R) <- 1
  for (t in c(1.5, 2.5, 4)) {
    set.seed(1)
    two <- 1 - pmvt(rep(-t, length(l)), rep(t, length(l)), corr = R, df = case$df, algorithm = GenzBretz(maxpts = 5e6, abseps = 1e-8))
    one <- 1 - pmvt(rep(-Inf, length(l)), rep(t, length(l)), corr = R, df = case$df, algorithm = GenzBretz(maxpts = 5e6, abseps = 1e-8))
    tails[[length(tails) + 1]] <- c(case, list(t = t, two = as.numeric(two), one = as.numeric(one), error = max(attr(two, "error"), attr(one, "error"))))
  }
}
out <- list(
  source = paste0("stats, multcomp ", packageVersion("multcomp"), ", mvtnorm ", packageVersion("mvtnorm"), "; R ", getRversion()),
  command = "Rscript tests/reference/make/multiplicity.R", date = "2026-11-22", data = I("datasets/nsw_mixtape.csv"), tolerance = 1e-12,
  note = "adjusted: p.adjust, 1e-12. dunnett: re78 by age band (0-19 teen, -24 young, -30 middle, -99 old) against teen; p by Genz-Bretz, 1e-6. tails: 1 - P(max < t), error is mvtnorm's own.",
  values = list(adjusted = adjusted,
    dunnett = list(estimates = as.numeric(s$test$coefficients), std_errors = as.numeric(s$test$sigma), t = as.numeric(s$test$tstat), p = as.numeric(s$test$pvalues), df = s$df),
    tails = tails))
write_json(out, "tests/reference/multiplicity_r.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
