# selection_r.json: bivariate probit by VGAM's binom2.rho, an independent check of selection.json and of the crate.
source("tests/reference/make/common.R")
suppressPackageStartupMessages(library(VGAM))
small <- generated("selection")
y <- with(small, cbind((1 - y1) * (1 - y2), (1 - y1) * y2, y1 * (1 - y2), y1 * y2))
m <- vglm(y ~ x + z1 + z2, binom2.rho(zero = "rho"), data = small, epsilon = 1e-12, maxit = 200)
b <- coef(m, matrix = TRUE)
rho <- rhobitlink(b["(Intercept)", 3], inverse = TRUE)
save_fixture("selection_r", "selection.R", software("VGAM"), "tests/reference/selection.csv",
  list(formulas = c("y1 ~ x + z1 + z2", "y2 ~ x + z1 + z2"), names = I(rownames(b)), first = vec(b[, 1]), second = vec(b[, 2]), rho = rho, log_likelihood = logLik(m)),
  note = "Fisher scoring; its errors are from the expected information and are not compared.", tolerance = 1e-6)
