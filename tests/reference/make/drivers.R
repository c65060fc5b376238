# drivers.csv: car drivers killed or seriously injured in Great Britain by month, 1969 to 1984, with the compulsory seat belt from February 1983 (Harvey & Durbin 1986; R's UKDriverDeaths, of which Seatbelts is a part);
# drivers.json: segmented regressions of the logarithm with autoregressive errors by nlme's gls, restricted and full likelihood, with seasons as months and as waves, and arima's full likelihood.
source("tests/reference/make/common.R")
suppressPackageStartupMessages(library(nlme))
y <- as.numeric(UKDriverDeaths)
d <- data.frame(t = seq_along(y) - 1, month = rep(1:12, 16), drivers = y)
write.csv(d, "tests/reference/drivers.csv", row.names = FALSE, quote = FALSE)
d$log <- log(d$drivers)
start <- 14 * 12 + 1
d$trend <- d$t - start
d$level <- as.numeric(d$trend >= 0)
d$slope <- pmax(d$trend, 0)
for (k in 1:2) { d[[paste0("sin", k)]] <- sin(2 * pi * k * d$trend / 12); d[[paste0("cos", k)]] <- cos(2 * pi * k * d$trend / 12) }
tight <- glsControl(tolerance = 1e-12, msTol = 1e-14, opt = "nlminb", maxIter = 1000, msMaxIter = 1000)
out <- function(m) {
  t <- summary(m)$tTable[c("trend", "level", "slope"), ]
  list(estimates = vec(t[, 1]), errors = vec(t[, 2]), phi = vec(coef(m$modelStruct$corStruct, unconstrained = FALSE)))
}
months <- log ~ trend + level + slope + factor(month)
waves <- log ~ trend + level + slope + sin1 + cos1 + sin2 + cos2
fit <- function(f, p, method, data = d) gls(f, data = data, correlation = corARMA(p = p, form = ~1), method = method, control = tight)
x <- model.matrix(months, d)[, -1]
a <- arima(d$log, order = c(2, 0, 0), xreg = x, method = "ML", optim.control = list(reltol = 1e-15, maxit = 2000))
print(coef(a)[c("ar1", "ar2", "level")])
save_fixture("drivers", "drivers.R", software("nlme"), "tests/reference/drivers.csv",
  list(start = start, one = out(fit(months, 1, "REML")), two = out(fit(months, 2, "REML")), three = out(fit(months, 3, "REML")), full = out(fit(months, 2, "ML")), waves = out(fit(waves, 2, "REML")), arima = list(phi = vec(coef(a)[c("ar1", "ar2")]), level = vec(coef(a)["level"]))),
  tolerance = 1e-6, note = "Errors are those of gls: of generalised least squares, with n - k degrees of freedom.")
