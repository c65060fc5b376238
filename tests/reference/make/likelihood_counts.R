# Counts, ordered, censored and truncated outcomes. The data are drawn here once (likelihood_counts.csv, rounded; do not draw them
# again without making all fixtures). Estimates are those of the named package, polished by Newton steps on a log-likelihood that is
# written down here from d-functions, because optim stops at four to six digits; the covariance is the inverse of its Hessian
# (numDeriv, Richardson). The script stops when package and log-likelihood disagree.
source("tests/reference/make/common.R")
suppressPackageStartupMessages({library(MASS); library(pscl); library(survival); library(AER); library(numDeriv)})

path <- "tests/reference/likelihood_counts.csv"
if (!file.exists(path)) {
  set.seed(20261122)
  n <- 400
  x <- round(rnorm(n), 3); z <- round(runif(n, -1, 2), 3); d <- rbinom(n, 1, 0.4); e <- round(runif(n, -0.5, 0.7), 3)
  mu <- exp(0.4 + 0.5 * x - 0.3 * d)
  positive <- function(draw) { y <- draw(); while (any(y == 0)) { at <- y == 0; y[at] <- draw()[at] }; y }
  nb <- function(m = mu) rnbinom(n, size = 1 / 0.6, mu = m)
  hurdle <- rbinom(n, 1, plogis(0.3 + 0.8 * z))
  never <- rbinom(n, 1, plogis(-0.6 + 0.7 * z))
  latent <- 0.5 + x - 0.4 * d + rlogis(n)
  y <- 1 + 0.8 * x - 0.5 * z + 1.3 * rnorm(n)
  cut <- function(v) { out <- y; at <- rep(TRUE, n)
    while (any(at)) { out[at] <- (1 + 0.8 * x - 0.5 * z + 1.3 * rnorm(n))[at]; at <- !v(out) }; round(out, 4) }
  data <- data.frame(x, z, d, e, w = sample(1:3, n, TRUE),
    poisson = rpois(n, mu * exp(e)), negbin = nb(), negbin_large = nb(60 * mu),
    hurdle_poisson = hurdle * positive(function() rpois(n, mu)), hurdle_negbin = hurdle * positive(nb),
    inflated_poisson = (1 - never) * rpois(n, 2 * mu), inflated_negbin = (1 - never) * nb(2 * mu),
    ordered = findInterval(latent, c(-1, 0.7, 2.5)) + 1,
    left = round(pmax(y, 0), 4), both = round(pmin(pmax(y, 0), 2.5), 4), above = cut(function(v) v > 0), between = cut(function(v) v > -0.5 & v < 2.5))
  write.csv(data, path, row.names = FALSE, quote = FALSE)
}
frame <- generated("likelihood_counts")
frame$factor <- factor(frame$ordered)

X <- model.matrix(~ x + d, frame); Z <- model.matrix(~ z, frame)
dzero <- function(y, p, f) { zero <- f(0 * y, p); ifelse(y == 0, -Inf, f(pmax(y, 1), p) - log1p(-exp(zero))) }
pois <- function(y, p) dpois(y, exp(drop(X %*% p[1:3])), log = TRUE)
nbin <- function(y, p) dnbinom(y, size = exp(-p[length(p)]), mu = exp(drop(X %*% p[1:3])), log = TRUE)
zeta <- function(p) drop(Z %*% p[4:5])
hurdle_density <- function(f) function(y, p) ifelse(y == 0, plogis(-zeta(p), log.p = TRUE), plogis(zeta(p), log.p = TRUE) + dzero(y, p, f))
inflated_density <- function(f) function(y, p) log(ifelse(y == 0, plogis(zeta(p)), 0) + plogis(-zeta(p)) * exp(f(y, p)))
ordered_density <- function(cdf) function(y, p) {
  eta <- drop(X[, -1] %*% p[1:2]); cuts <- c(-Inf, p[3:5], Inf); log(cdf(cuts[y + 1] - eta) - cdf(cuts[y] - eta)) }
limited <- function(left, right, truncated) function(y, p) {
  eta <- drop(cbind(1, frame$x, frame$z) %*% p[1:3]); s <- exp(p[4])
  inside <- dnorm(y, eta, s, log = TRUE)
  if (truncated) return(inside - log(pnorm(right, eta, s) - pnorm(left, eta, s)))
  ifelse(y <= left, pnorm(left, eta, s, log.p = TRUE), ifelse(y >= right, pnorm(right, eta, s, lower.tail = FALSE, log.p = TRUE), inside)) }

# Newton to rounding from the package's estimates, then its covariance.
case <- function(formula, names, density, outcome, start, value = NULL, agree = 1e-4, w = rep(1, nrow(frame)), ...) {
  y <- frame[[outcome]]
  total <- function(p) sum(w * density(y, p))
  p <- unname(start)
  # Steps that do not shrink with a parameter near zero.
  curvature <- function(p) hessian(total, p, method.args = list(d = 0.01, eps = 0.02, zero.tol = 100, r = 5))
  for (i in 1:4) p <- p - solve(curvature(p), grad(total, p, method.args = list(d = 1e-3, eps = 1e-2, zero.tol = 100, r = 6)))
  stopifnot(max(abs(p - start)) < agree, is.null(value) || abs(total(p) - value) < 1e-5)
  list(formula = formula, names = names, estimates = vec(p), std_errors = vec(sqrt(diag(solve(-curvature(p))))),
       log_likelihood = total(p), ...)
}

tight <- 1e-14
base <- c("(Intercept)", "x", "d"); limited_names <- c("(Intercept)", "x", "z", "ln_sigma")
values <- list()
g <- glm(poisson ~ x + d + offset(e), poisson, frame, epsilon = tight)
values$poisson <- list(formula = "poisson ~ x + d", names = base, estimates = vec(coef(g)), std_errors = vec(sqrt(diag(vcov(g)))),
  log_likelihood = as.numeric(logLik(g)), robust = vec(sqrt(diag(sandwich::vcovHC(g, "HC0")))))
g <- glm(poisson ~ x + d + offset(e), poisson, frame, weights = w, epsilon = tight)
values$poisson_weights <- list(formula = "poisson ~ x + d", names = base, estimates = vec(coef(g)), std_errors = vec(sqrt(diag(vcov(g)))),
  log_likelihood = as.numeric(logLik(g)))
for (outcome in c("negbin", "negbin_large")) {
  m <- glm.nb(as.formula(paste(outcome, "~ x + d")), frame, control = glm.control(epsilon = 1e-13, maxit = 200))
  g <- glm(formula(m), poisson, frame)
  values[[outcome]] <- case(paste(outcome, "~ x + d"), c(base, "ln_alpha"), nbin, outcome, c(coef(m), -log(m$theta)), as.numeric(logLik(m)),
    boundary = 2 * as.numeric(logLik(m) - logLik(g)))
}
second <- function(prefix) c(paste0(prefix, ".(Intercept)"), paste0(prefix, ".z"))
for (kind in c("poisson", "negbin")) {
  outcome <- paste0("hurdle_", kind)
  f <- as.formula(paste(outcome, "~ x + d | z"))
  m <- hurdle(f, frame, dist = kind, control = hurdle.control(reltol = tight))
  extra <- if (kind == "negbin") -log(m$theta[["count"]]) else NULL
  density <- hurdle_density(if (kind == "negbin") nbin else pois)
  values[[outcome]] <- case(paste(outcome, "~ x + d"), c(base, second("hurdle"), if (!is.null(extra)) "ln_alpha"), density, outcome,
    c(coef(m), extra), m$loglik, second = "z")
  hurdle_fit <- m
  outcome <- paste0("inflated_", kind)
  f <- as.formula(paste(outcome, "~ x + d | z"))
  m <- zeroinfl(f, frame, dist = kind, control = zeroinfl.control(reltol = tight))
  extra <- if (kind == "negbin") -log(m$theta) else NULL
  density <- inflated_density(if (kind == "negbin") nbin else pois)
  values[[outcome]] <- case(paste(outcome, "~ x + d"), c(base, second("inflate"), if (!is.null(extra)) "ln_alpha"), density, outcome,
    c(coef(m), extra), m$loglik, second = "z")
  if (kind == "poisson") {
    other <- hurdle(f, frame, dist = kind, control = hurdle.control(reltol = tight))
    text <- capture.output(vuong(m, other))
    values$vuong <- list(outcome = outcome, printed = text)
    ll <- function(fit) log(predict(fit, type = "prob")[cbind(seq_len(nrow(frame)), frame[[outcome]] + 1)])
    ratio <- ll(m) - ll(other)
    values$vuong$statistic <- sum(ratio) / (sd(ratio) * sqrt(length(ratio)))
    glm1 <- glm(inflated_poisson ~ x + d, poisson, frame, epsilon = tight); r <- ll(m) - dpois(frame[[outcome]], fitted(glm1), log = TRUE)
    n <- length(r)
    values$vuong$against_poisson <- vec((sum(r) - c(0, 2, 2 * log(n) / 2)) / (sd(r) * sqrt(n)))
  }
}
for (link in c("logistic", "probit")) {
  m <- polr(factor ~ x + d, frame, method = link, Hess = TRUE, control = list(reltol = tight, maxit = 1000))
  m0 <- polr(factor ~ 1, frame, method = link)
  values[[paste0("ordered_", link)]] <- case("ordered ~ x + d", c("x", "d", "cut1", "cut2", "cut3"), ordered_density(if (link == "probit") pnorm else plogis),
    "ordered", c(coef(m), m$zeta), as.numeric(logLik(m)), null = as.numeric(logLik(m0)))
}
# Brant (1990): the logits of each threshold, their joint covariance, the Wald test of equal slopes.
parts <- lapply(1:3, function(k) glm(I(ordered > k) ~ x + d, binomial, frame, epsilon = tight))
above <- sapply(parts, fitted)
joint <- matrix(0, 9, 9)
bread <- lapply(1:3, function(m) solve(crossprod(X, X * (above[, m] * (1 - above[, m])))))  # vcov(glm) has the weights one step before the last
for (m in 1:3) for (l in 1:3) joint[3 * m - 2:0, 3 * l - 2:0] <-
  bread[[m]] %*% crossprod(X, X * (above[, max(m, l)] * (1 - above[, min(m, l)]))) %*% bread[[l]]
wald <- function(columns) {
  D <- do.call(rbind, lapply(2:3, function(k) { r <- matrix(0, length(columns), 9)
    for (i in seq_along(columns)) { r[i, 3 * (k - 1) + columns[i]] <- 1; r[i, columns[i]] <- -1 }; r }))
  gap <- D %*% unlist(lapply(parts, coef)); drop(t(gap) %*% solve(D %*% joint %*% t(D), gap)) }
values$brant <- list(statistics = vec(c(wald(2:3), wald(2), wald(3))))
m <- AER::tobit(left ~ x + z, data = frame, control = survreg.control(rel.tolerance = 1e-12))
values$tobit_left <- case("left ~ x + z", limited_names, limited(0, Inf, FALSE), "left", c(coef(m), log(m$scale)), as.numeric(logLik(m)), limits = c(0, "Infinity"))
stopifnot(max(abs(sqrt(diag(vcov(m))) / values$tobit_left$std_errors - 1)) < 1e-6)
m <- AER::tobit(both ~ x + z, left = 0, right = 2.5, data = frame, control = survreg.control(rel.tolerance = 1e-12))
values$tobit_both <- case("both ~ x + z", limited_names, limited(0, 2.5, FALSE), "both", c(coef(m), log(m$scale)), as.numeric(logLik(m)), limits = c(0, 2.5))
values$tobit_right <- local({
  frame$r <- pmin(frame$both, 2.5)
  m <- AER::tobit(both ~ x + z, left = -Inf, right = 2.5, data = frame, control = survreg.control(rel.tolerance = 1e-12))
  case("both ~ x + z", limited_names, limited(-Inf, 2.5, FALSE), "both", c(coef(m), log(m$scale)), as.numeric(logLik(m)), limits = c("-Infinity", 2.5))
})
truncated <- function(outcome, left, right) {
  density <- limited(left, right, TRUE); y <- frame[[outcome]]
  o <- lm(y ~ frame$x + frame$z)
  m <- optim(c(coef(o), log(sigma(o))), function(p) -sum(density(y, p)), method = "BFGS", control = list(reltol = 1e-15, maxit = 1000))
  case(paste(outcome, "~ x + z"), limited_names, density, outcome, m$par, -m$value, agree = 1e-3,
    limits = c(if (is.finite(left)) left else "-Infinity", if (is.finite(right)) right else "Infinity"))
}
values$truncated_left <- truncated("above", 0, Inf)
values$truncated_both <- truncated("between", -0.5, 2.5)

mroz <- dataset("mroz")
m <- AER::tobit(hours ~ nwifeinc + educ + exper + expersq + age + kidslt6 + kidsge6, data = mroz, control = survreg.control(rel.tolerance = 1e-13))
values$mroz <- list(formula = "hours ~ nwifeinc + educ + exper + expersq + age + kidslt6 + kidsge6", names = c(names(coef(m)), "ln_sigma"),
  estimates = vec(c(coef(m), log(m$scale))), std_errors = vec(sqrt(diag(vcov(m)))), log_likelihood = as.numeric(logLik(m)))
rossi <- dataset("rossi")
m <- glm.nb(prio ~ age + fin + race, rossi, control = glm.control(epsilon = 1e-13, maxit = 200))
values$rossi <- list(formula = "prio ~ age + fin + race", names = c(names(coef(m)), "ln_alpha"), estimates = vec(c(coef(m), -log(m$theta))),
  log_likelihood = as.numeric(logLik(m)))

save_fixture("likelihood_counts", "likelihood_counts.R", software("MASS", "pscl", "AER", "survival", "sandwich", "numDeriv"),
  c("tests/reference/likelihood_counts.csv", "datasets/mroz.csv", "datasets/rossi.csv"), values, tolerance = 1e-6,
  note = "std_errors: inverse observed information. poisson has the offset e; poisson_weights frequency weights w; `second` is the other equation; `brant`: all regressors, x, d; `boundary` the statistic of alpha = 0; `vuong`: zero-inflated Poisson against hurdle Poisson, then against Poisson (raw, AIC, BIC).")
