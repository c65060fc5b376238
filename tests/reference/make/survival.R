# survival.json with survival_customers.csv and survival_intervals.csv: survival, glm, and likelihoods written down here.
source("tests/reference/make/common.R")
suppressPackageStartupMessages({library(survival)})

# ---- data: customers with ties, late entry, causes, clusters, weights; and intervals with a regressor that changes ----
set.seed(20261122)
if (!file.exists("tests/reference/survival_customers.csv")) {
  n <- 300
  d <- data.frame(id = 1:n, shop = sample(1:15, n, TRUE), arm = sample(c("a", "b", "c"), n, TRUE), x = round(rnorm(n), 4), z = rbinom(n, 1, 0.4))
  u <- rnorm(15, sd = 0.4)[d$shop]
  t <- (rexp(n) / exp(-2.2 + 0.5 * d$x - 0.4 * d$z + 0.3 * (d$arm == "b") + u))^(1 / 1.2)
  censor <- runif(n, 2, 14)
  d$time <- pmax(ceiling(2 * pmin(t, censor)) / 2, 0.5)   # many ties
  d$event <- as.integer(t <= censor)
  d$cause <- ifelse(d$event == 0, "none", ifelse(runif(n) < 0.65, "churn", "upgrade"))
  d$entry <- ifelse(runif(n) < 0.4, floor(2 * runif(n) * pmin(d$time - 0.5, 4)) / 2, 0)
  d$period <- pmin(ceiling(d$time / 2), 5); d$ended <- as.integer(d$event == 1 & d$time <= 10)
  d$w <- round(runif(n, 0.4, 2.5), 3); d$f <- sample(1:3, n, TRUE)
  write.csv(d, "tests/reference/survival_customers.csv", row.names = FALSE, quote = FALSE)
  spells <- list()
  for (i in 1:160) {
    v <- 0; from <- 0; x <- round(rnorm(1), 3); g <- rgamma(1, 0.7, 0.7) # unobserved
    for (k in 1:6) {
      to <- from + sample(1:3, 1); v <- round(0.6 * v + rnorm(1, sd = 0.8), 3)
      hit <- rbinom(1, 1, 1 - exp(-(to - from) * g * exp(-1.5 + 0.7 * v + 0.4 * x)))
      spells[[length(spells) + 1]] <- data.frame(id = i, start = from, stop = to, event = hit, v = v, x = x, shop = i %% 9)
      if (hit == 1) break
      from <- to
    }
  }
  write.csv(do.call(rbind, spells), "tests/reference/survival_intervals.csv", row.names = FALSE, quote = FALSE)
}
d <- generated("survival_customers"); iv <- generated("survival_intervals")
num <- function(v) vec(ifelse(is.finite(v), v, NA))

# ---- curves ----
curve <- function(s) list(time = vec(s$time), at_risk = vec(s$n.risk), events = vec(s$n.event), survival = vec(s$surv), std_error = num(if (isTRUE(s$logse)) s$surv * s$std.err else s$std.err),
  lower = num(s$lower), upper = num(s$upper), hazard = vec(s$cumhaz), hazard_std_error = vec(s$std.chaz))
rmst <- function(s, tau) { t <- summary(s, rmean = tau)$table; as.numeric(t[c("rmean", "se(rmean)")]) }
km <- survfit(Surv(time, event) ~ 1, d)
quantiles <- function(s) { q <- quantile(s, c(0.25, 0.5, 0.75)); list(estimate = num(q$quantile), lower = num(q$lower), upper = num(q$upper)) }
curves <- list(
  log = curve(survfit(Surv(time, event) ~ 1, d, conf.type = "log")),
  log_log = curve(survfit(Surv(time, event) ~ 1, d, conf.type = "log-log")),
  plain = curve(survfit(Surv(time, event) ~ 1, d, conf.type = "plain")),
  truncated = curve(survfit(Surv(entry, time, event) ~ 1, d, conf.type = "log")),
  frequency = curve(survfit(Surv(time, event) ~ 1, d[rep(1:nrow(d), d$f), ], conf.type = "log")),
  sampling = curve(survfit(Surv(time, event) ~ 1, d, weights = w, conf.type = "log", robust = TRUE, id = id)),
  sampling_truncated = curve(survfit(Surv(entry, time, event) ~ 1, d, weights = w, conf.type = "log", robust = TRUE, id = id)),
  quantiles_log = quantiles(survfit(Surv(time, event) ~ 1, d, conf.type = "log")),
  quantiles_log_log = quantiles(survfit(Surv(time, event) ~ 1, d, conf.type = "log-log")),
  restricted_mean = rmst(km, 9), restricted_mean_truncated = rmst(survfit(Surv(entry, time, event) ~ 1, d), 7))

# ---- tests ----
diff <- function(s) list(observed = vec(if (is.matrix(s$obs)) rowSums(s$obs) else s$obs), expected = vec(if (is.matrix(s$exp)) rowSums(s$exp) else s$exp), statistic = s$chisq)
gehan <- function(time, event, group) {
  U <- 0; V <- 0; g <- unique(sort(group))[-1]
  for (t in sort(unique(time[event == 1]))) {
    Y <- sum(time >= t); D <- sum(time == t & event == 1)
    Yg <- sapply(g, function(k) sum(time >= t & group == k)); Dg <- sapply(g, function(k) sum(time == t & event == 1 & group == k))
    U <- U + Y * (Dg - D * Yg / Y)
    if (Y > 1) V <- V + Y^2 * D * (Y - D) / (Y - 1) * (diag(Yg / Y, length(g)) - outer(Yg, Yg) / Y^2)
  }
  as.numeric(t(U) %*% solve(V, U))
}
tests <- list(log_rank = diff(survdiff(Surv(time, event) ~ arm, d)), peto = diff(survdiff(Surv(time, event) ~ arm, d, rho = 1)),
  half = diff(survdiff(Surv(time, event) ~ arm, d, rho = 0.5)), stratified = diff(survdiff(Surv(time, event) ~ arm + strata(shop), d)),
  gehan = gehan(d$time, d$event, d$arm))

# ---- Cox ----
cox <- function(m, zph = TRUE) {
  s <- summary(m)
  out <- list(names = I(names(coef(m))), estimates = vec(coef(m)), covariance = rows(if (is.null(m$naive.var)) m$var else m$naive.var),
    log_likelihood = vec(m$loglik), score = as.numeric(m$score), concordance = as.numeric(concordance(m)$concordance),
    concordance_std_error = sqrt(as.numeric(concordance(m)$var)))
  if (!is.null(m$naive.var)) out$robust <- rows(m$var)
  if (zph) for (tr in c("identity", "km", "log", "rank")) { z <- cox.zph(m, transform = tr, terms = FALSE); out[[paste0("zph_", tr)]] <- vec(z$table[, "chisq"]) }
  out
}
prediction <- function(m, new, ...) { s <- survfit(m, newdata = new, ...); list(time = vec(s$time), survival = rows(s$surv), log_std_error = rows(s$std.err)) }
d$armb <- as.numeric(d$arm == "b"); d$armc <- as.numeric(d$arm == "c")
efron <- coxph(Surv(time, event) ~ x + z + armb + armc, d)
breslow <- update(efron, ties = "breslow")
new <- data.frame(x = c(0, 1.2), z = c(0, 1), armb = c(0, 1), armc = 0)
residual <- function(m) list(martingale = vec(residuals(m, "martingale")), score = rows(residuals(m, "score")), schoenfeld = rows(residuals(m, "schoenfeld")))
models <- list(
  efron = c(cox(efron), list(prediction = prediction(efron, new), residuals = residual(efron), robust = rows(coxph(Surv(time, event) ~ x + z + armb + armc, d, robust = TRUE)$var))),
  breslow = c(cox(breslow), list(prediction = prediction(breslow, new), residuals = residual(breslow), robust = rows(coxph(Surv(time, event) ~ x + z + armb + armc, d, ties = "breslow", robust = TRUE)$var))),
  clustered = cox(coxph(Surv(time, event) ~ x + z + armb + armc, d, cluster = shop), zph = FALSE),
  stratified = cox(coxph(Surv(time, event) ~ x + z + armb + armc + strata(shop), d)),
  truncated = c(cox(coxph(Surv(entry, time, event) ~ x + z + armb + armc, d)), list(prediction = prediction(coxph(Surv(entry, time, event) ~ x + z + armb + armc, d), new),
    robust = rows(coxph(Surv(entry, time, event) ~ x + z + armb + armc, d, robust = TRUE, id = id)$var))),
  weighted = cox(coxph(Surv(time, event) ~ x + z + armb + armc, d, weights = w, robust = TRUE), zph = FALSE),
  weighted_breslow = cox(coxph(Surv(time, event) ~ x + z + armb + armc, d, weights = w, ties = "breslow", robust = TRUE), zph = FALSE),
  frequency = cox(coxph(Surv(time, event) ~ x + z + armb + armc, d[rep(1:nrow(d), d$f), ], robust = TRUE, id = seq_len(sum(d$f))), zph = FALSE),
  intervals = cox(coxph(Surv(start, stop, event) ~ v + x, iv, id = id, cluster = id), zph = FALSE),
  intervals_stratified = cox(coxph(Surv(start, stop, event) ~ v + x + strata(shop), iv, ties = "breslow")))

# ---- accelerated failure times ----
aft <- function(dist) {
  m <- survreg(Surv(time, event) ~ x + z + armb + armc, d, dist = dist, control = survreg.control(rel.tolerance = 1e-14, maxiter = 100))
  r <- survreg(Surv(time, event) ~ x + z + armb + armc, d, dist = dist, robust = TRUE, control = survreg.control(rel.tolerance = 1e-14, maxiter = 100))
  w <- survreg(Surv(time, event) ~ x + z, d, weights = w, dist = dist, control = survreg.control(rel.tolerance = 1e-14, maxiter = 100))
  q <- predict(m, newdata = new, type = "quantile", p = 0.5, se.fit = TRUE)
  list(estimates = vec(c(coef(m), if (dist == "exponential") NULL else log(m$scale))), covariance = rows(m$var), robust = rows(r$var), log_likelihood = m$loglik[2],
    weighted = vec(c(coef(w), if (dist == "exponential") NULL else log(w$scale))), weighted_covariance = rows(w$var), median = vec(q$fit), median_std_error = vec(q$se.fit))
}
differences <- function(f, p) { # gradient and Hessian by Richardson's extrapolation of central differences
  k <- length(p); e <- function(i) replace(numeric(k), i, 1)
  rich <- function(g) { a <- g(2e-2); b <- g(1e-2); c <- g(5e-3); (64 * c - 20 * b + a) / 45 }
  gradient <- sapply(1:k, function(i) rich(function(h) (f(p + h * e(i)) - f(p - h * e(i))) / (2 * h)))
  hessian <- matrix(0, k, k)
  for (i in 1:k) for (j in 1:i) hessian[i, j] <- hessian[j, i] <- rich(function(h) (f(p + h * e(i) + h * e(j)) - f(p + h * e(i) - h * e(j)) - f(p - h * e(i) + h * e(j)) + f(p - h * e(i) - h * e(j))) / (4 * h^2))
  list(gradient = gradient, hessian = hessian)
}
maximise <- function(f, start) {
  p <- optim(start, f, method = "BFGS", control = list(fnscale = -1, reltol = 1e-14, maxit = 1000))$par
  for (s in 1:3) { g <- differences(f, p); p <- p - solve(g$hessian, g$gradient) }
  list(estimates = vec(p), covariance = rows(solve(-differences(f, p)$hessian)), log_likelihood = f(p))
}
X <- cbind(1, d$x, d$z)
truncated_aft <- function(dist) {
  ld <- switch(dist, weibull = function(z) z - exp(z), lognormal = function(z) dnorm(z, log = TRUE), loglogistic = function(z) dlogis(z, log = TRUE))
  ls <- switch(dist, weibull = function(z) -exp(z), lognormal = function(z) pnorm(z, lower.tail = FALSE, log.p = TRUE), loglogistic = function(z) plogis(z, lower.tail = FALSE, log.p = TRUE))
  f <- function(p) { s <- exp(p[4]); m <- X %*% p[1:3]; z <- (log(d$time) - m) / s; z0 <- (log(d$entry) - m) / s
    sum(ifelse(d$event == 1, ld(z) - p[4] - log(d$time), ls(z))) - sum(ls(z0)[d$entry > 0]) }
  maximise(f, c(2, 0, 0, -0.2))
}
afts <- list(weibull = aft("weibull"), lognormal = aft("lognormal"), loglogistic = aft("loglogistic"), exponential = aft("exponential"),
  truncated = lapply(c(weibull = "weibull", lognormal = "lognormal", loglogistic = "loglogistic"), truncated_aft))

# ---- discrete time ----
long <- d[rep(1:nrow(d), d$period), ]; long$t <- sequence(d$period); long$y <- as.integer(long$t == long$period & long$ended == 1)
discrete <- function(link) {
  control <- glm.control(epsilon = 1e-14, maxit = 100)
  m <- glm(y ~ 0 + factor(t) + x + z, binomial(link), long, control = control)
  p <- glm(y ~ log(t) + I(log(t)^2) + x + z, binomial(link), long, control = control)
  pack <- function(m) { # observed information, which glm does not use with cloglog
    X <- model.matrix(m); f <- function(b) { e <- X %*% b; y <- m$y
      if (link == "logit") sum(y * e - log1p(exp(e))) else sum(ifelse(y == 1, log(-expm1(-exp(e))), -exp(e))) }
    b <- coef(m); list(names = I(names(b)), estimates = vec(b), covariance = rows(solve(-differences(f, b)$hessian)), log_likelihood = f(b)) }
  list(periods = pack(m), polynomial = pack(p))
}
ivd <- iv[rep(1:nrow(iv), iv$stop - iv$start), ]; ivd$t <- ivd$start + sequence(iv$stop - iv$start); ivd$y <- as.integer(ivd$event == 1 & ivd$t == ivd$stop)
id <- as.integer(factor(ivd$id)); last <- !duplicated(id, fromLast = TRUE)
index <- function(p) p[1] + p[2] * log(ivd$t) + p[3] * log(ivd$t)^2 + p[4] * ivd$v + p[5] * ivd$x
gamma_frailty <- function(p) { # polynomial baseline, cloglog
  e <- exp(index(p)); H <- tapply(e, id, sum); before <- H - e[last]; S <- function(H) (1 + exp(p[6]) * H)^(-exp(-p[6]))
  sum(ifelse(ivd$y[last] == 1, log(S(before) - S(H)), log(S(H))))
}
normal_frailty <- function(link) function(p) { # logit or cloglog, standard deviation exp(p[6])
  h <- outer(index(p), exp(p[6]) * hermite$x, "+"); y <- ivd$y
  part <- if (link == "logit") y * h - log1p(exp(h)) else y * log(-expm1(-exp(h))) - (1 - y) * exp(h)
  sum(log(exp(rowsum(part, id)) %*% hermite$w))
}
# The trapezoidal rule on a wide grid is exact to rounding for smooth integrands on the line; held to integrate() below.
hermite <- local({ x <- seq(-9, 9, length.out = 161); list(x = x, w = dnorm(x) * (x[2] - x[1])) })
check <- integrate(function(u) dnorm(u) * plogis(1 + 2 * u)^3, -Inf, Inf, rel.tol = 1e-12)$value - sum(hermite$w * plogis(1 + 2 * hermite$x)^3)
stopifnot(abs(check) < 1e-10)
start <- c(-2.5, 0.1, 0, 0.5, 0.3, -0.5)
hazards <- list(logit = discrete("logit"), cloglog = discrete("cloglog"),
  gamma = maximise(gamma_frailty, start), normal_logit = maximise(normal_frailty("logit"), start), normal_cloglog = maximise(normal_frailty("cloglog"), start))

# ---- competing risks and a multi-state model ----
d$state <- factor(d$cause, levels = c("none", "churn", "upgrade"))
incidence <- function(s) list(time = vec(s$time), probability = rows(s$pstate), std_error = rows(s$std.err))
risks <- list(plain = incidence(survfit(Surv(time, state) ~ 1, d)), truncated = incidence(survfit(Surv(entry, time, state) ~ 1, d, id = id)),
  weighted = incidence(survfit(Surv(time, state) ~ 1, d, weights = w, id = id)))

save_fixture("survival", "survival.R", software("survival"), c("tests/reference/survival_customers.csv", "tests/reference/survival_intervals.csv"),
  list(curves = curves, tests = tests, cox = models, aft = afts, discrete = hazards, competing_risks = risks), tolerance = 1e-9,
  note = paste("curves: survfit; tests: survdiff, gehan by its formula; cox: coxph, covariance is the inverse information, robust the sandwich (no factor), log_likelihood null and fitted,",
    "zph_* one chi-squared a coefficient and the joint one last (terms = FALSE); prediction: log_std_error is that of log S; armb, armc are indicators of arm.",
    "aft: survreg, the last parameter is log(scale); truncated: maximum of the likelihood written down in the script, entry > 0 truncates.",
    "discrete: period and ended; glm with observed information; gamma, normal_*: maximum of the likelihoods written down in the script for survival_intervals.csv,",
    "with 1, log t, (log t)^2, v, x and the log of the variance (gamma) or standard deviation (normal)."))
