# meta_regression.json: mixed-effects models of the BCG trials (metafor's dat.bcg, log relative risks), their influence, funnel asymmetry and cumulative
# meta-analysis by metafor (models without a constant are left out: metafor 3.8 centres the effects first, which moves their Q); it draws meta_regression.csv too. Run in this folder: Rscript meta_regression.R
suppressMessages({library(metafor); library(jsonlite)})

data <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
trials <- data.frame(trial = paste(data$author, data$year), y = as.numeric(data$yi), se = sqrt(data$vi), ablat = data$ablat, year = data$year, alloc = data$alloc)
write.csv(format(trials, digits = 17, trim = TRUE), "../meta_regression.csv", row.names = FALSE, quote = FALSE)
trials$v <- trials$se^2
formulas <- list(latitude = ~ ablat, both = ~ ablat + year, all = ~ ablat + year + factor(alloc), none = ~ 1)
strict <- list(threshold = 1e-14, maxiter = 10000, tol = 1e-14)
cases <- list()
for (f in names(formulas)) for (method in c("FE", "DL", "PM", "ML", "REML")) for (test in c("z", "knha", "adhoc")) {
  fit <- rma(y, v, mods = formulas[[f]], data = trials, method = method, test = test, control = strict)
  interval <- confint(rma(y, v, mods = formulas[[f]], data = trials, method = "REML", control = strict), control = list(tol = 1e-14))$random
  cases[[length(cases) + 1]] <- list(formula = f, method = method, test = test, tau2 = fit$tau2, se_tau2 = fit$se.tau2, estimates = as.numeric(fit$beta), errors = fit$se,
    ends = c(fit$ci.lb, fit$ci.ub), p = fit$pval, qe = fit$QE, qep = fit$QEp, qm = fit$QM, qmp = fit$QMp, i2 = fit$I2 / 100, h2 = fit$H2,
    r2 = if (is.null(fit$R2)) NULL else fit$R2 / 100, tau2_interval = if (method == "REML") as.numeric(interval[1, 2:3]) else NULL)
}
influences <- list()
for (f in c("latitude", "all", "none")) for (test in c("z", "knha")) {
  fit <- rma(y, v, mods = formulas[[f]], data = trials, test = test, control = list(threshold = 1e-11, maxiter = 10000))
  found <- influence(fit)$inf
  influences[[length(influences) + 1]] <- list(formula = f, test = test, leverage = found$hat, studentized_residual = found$rstudent, dffits = found$dffits,
    cooks_distance = found$cook.d, covariance_ratio = found$cov.r, between = found$tau2.del, q = found$QE.del)
}
fit <- rma(y, v, mods = ~ ablat + year, data = trials, test = "knha", control = strict)
# The interval of a further study with t(k - p - 1), as later versions of metafor have it (predtype = "Riley").
at <- predict(fit, newmods = c(33.46, 1970))
half <- qt(.975, fit$k - fit$p - 1) * sqrt(at$se^2 + fit$tau2)
egger <- regtest(trials$y, trials$v, model = "lm")
growing <- cumul(rma(y, v, data = trials, test = "knha", control = strict))
write(toJSON(list(source = paste0("metafor ", packageVersion("metafor"), "; ", R.version.string), command = "Rscript tests/reference/make/meta_regression.R",
  date = as.character(Sys.Date()), data = "tests/reference/meta_regression.csv", tolerance = 1e-7,
  note = "tau2 iterated to 1e-14 (influence 1e-11); further: at ablat 33.46 and year 1970 in `both` with Knapp and Hartung's errors; cumulative in the order of the file, from the second study on.",
  values = list(cases = cases, influence = influences, further = c(at$pred, at$se, at$pred - half, at$pred + half),
    egger = c(egger$zval, egger$pval, egger$est, egger$ci.lb, egger$ci.ub), cumulative = growing$estimate[-1], cumulative_errors = growing$se[-1])),
  digits = NA, auto_unbox = TRUE, pretty = FALSE, null = "null"), "../meta_regression.json")
