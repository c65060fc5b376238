# iv_r.json: AER::ivreg, an independent check of iv.json.
source("tests/reference/make/common.R")
suppressPackageStartupMessages({library(AER); library(sandwich)})
controls <- paste(c("exper", "expersq", "black", "smsa", "south", "smsa66", paste0("reg66", 2:9)), collapse = " + ")
one <- function(data, frame, y, exog, endog, instruments, cluster = NULL) {
  f <- as.formula(paste(y, "~", exog, "+", endog, "|", exog, "+", instruments))
  m <- ivreg(f, data = frame)
  s <- summary(m, diagnostics = TRUE)
  sr <- summary(m, vcov. = function(x) vcovHC(x, type = "HC1"), diagnostics = TRUE)
  table <- function(d) setNames(lapply(seq_len(nrow(d)), function(i) as.list(setNames(as.numeric(d[i, ]), c("df1", "df2", "statistic", "p")))), rownames(d))
  out <- list(data = data, formula = paste(y, "~", exog, "|", endog, "~", instruments), names = I(names(coef(m))), estimates = vec(coef(m)), sigma = s$sigma,
    df_residual = m$df.residual, covariance = list(classical = rows(vcov(m)), HC0 = rows(vcovHC(m, type = "HC0")), HC1 = rows(vcovHC(m, type = "HC1"))),
    diagnostics_classical = table(s$diagnostics), diagnostics_HC1 = table(sr$diagnostics))
  if (!is.null(cluster)) {
    out$cluster <- cluster
    out$covariance$cluster <- rows(vcovCL(m, frame[[cluster]], type = "HC1", cadjust = TRUE))
  }
  out
}
card <- dataset("card"); two <- generated("instruments")
save_fixture("iv_r", "iv.R", software("AER", "sandwich"), c("datasets/card.csv", "tests/reference/instruments.csv"),
  list(card_just = one("datasets/card.csv", card, "lwage", controls, "educ", "nearc4"),
    card_over = one("datasets/card.csv", card, "lwage", controls, "educ", "nearc4 + nearc2"),
    two_endogenous = one("tests/reference/instruments.csv", two, "y", "x", "d1 + d2", "z1 + z2 + z3 + z4", "group")),
  note = "cluster = G/(G-1) (n-1)/(n-k) times the sandwich. diagnostics: AER's weak-instrument F per endogenous regressor, Wu-Hausman F, Sargan chi-squared (df2 is NA).")
