# quantile.json: quantreg's exact estimates (method "br") with the iid, nid and ker covariances, weights, the test of equal slopes; clusters by their formula.
source("tests/reference/make/common.R")
suppressPackageStartupMessages(library(quantreg))

# summary.rq's "nid" with neighbouring quantiles by "br" in place of the interior point, whose tolerance would show.
nid <- function(x, y, tau) {
  n <- length(y); h <- bandwidth.rq(tau, n, hs = TRUE)
  while ((tau - h < 0) || (tau + h > 1)) h <- h / 2
  high <- rq.fit.br(x, y, tau = tau + h)$coefficients; low <- rq.fit.br(x, y, tau = tau - h)$coefficients
  eps <- .Machine$double.eps^(2/3)
  f <- pmax(0, (2 * h) / (drop(x %*% (high - low)) - eps))
  b <- solve(crossprod(x * f, x))
  list(cov = tau * (1 - tau) * b %*% crossprod(x) %*% b, bread = b)
}
# Parente & Santos Silva (2016): uniform kernel of width kappa (qnorm(tau + h) - qnorm(tau - h)), kappa the median absolute residual.
cluster <- function(x, u, tau, g) {
  n <- length(u); h <- bandwidth.rq(tau, n, hs = TRUE)
  while ((tau - h < 0) || (tau + h > 1)) h <- h / 2
  width <- (qnorm(tau + h) - qnorm(tau - h)) * median(abs(u))
  b <- solve(crossprod(x * ((abs(u) <= width) / (2 * width)), x))
  s <- rowsum(x * (tau - (u < 0)), g)
  groups <- nrow(s)
  b %*% crossprod(s) %*% b * groups / (groups - 1) * (n - 1) / (n - ncol(x))
}
one <- function(data, frame, formula, tau, group = NULL, weight = NULL) {
  f <- as.formula(formula)
  m <- if (is.null(weight)) rq(f, tau = tau, data = frame, method = "br") else { frame$.w <- frame[[weight]]; rq(f, tau = tau, data = frame, weights = .w, method = "br") }
  mf <- model.frame(f, frame); x <- model.matrix(f, mf); y <- model.response(mf)
  w <- if (is.null(weight)) rep(1, length(y)) else frame[[weight]]
  u <- drop(y - x %*% coef(m)); u[rank(abs(u), ties.method = "first") <= ncol(x)] <- 0
  v <- list(iid = summary(m, se = "iid", covariance = TRUE)$cov, nid = nid(x * w, y * w, tau)$cov, ker = summary(m, se = "ker", covariance = TRUE)$cov)
  theirs <- summary(m, se = "nid", covariance = TRUE)$cov
  stopifnot(max(abs(sqrt(diag(theirs)) / sqrt(diag(v$nid)) - 1)) < 1e-3)
  if (!is.null(group)) v$cluster <- cluster(x, u, tau, frame[[group]])
  rho <- function(u, tau) sum(w * u * (tau - (u < 0)))
  null <- if (is.null(weight)) rq(y ~ 1, tau = tau, method = "br") else rq(y ~ 1, tau = tau, weights = w, method = "br")
  list(data = data, formula = formula, tau = tau, names = I(names(coef(m))), estimates = vec(coef(m)), covariance = lapply(v, rows), weight = if (is.null(weight)) "" else weight,
    group = if (is.null(group)) "" else group, objective = rho(drop(y - x %*% coef(m)), tau), null_objective = rho(y - coef(null), tau))
}
equality <- function(data, frame, formula, taus) {
  f <- as.formula(formula); mf <- model.frame(f, frame); x <- model.matrix(f, mf); y <- model.response(mf)
  k <- ncol(x); m <- length(taus); j <- crossprod(x)
  b <- lapply(taus, function(t) nid(x, y, t)$bread)
  v <- matrix(0, k * m, k * m)
  for (s in 1:m) for (t in 1:m) v[(s - 1) * k + 1:k, (t - 1) * k + 1:k] <- (min(taus[s], taus[t]) - taus[s] * taus[t]) * b[[s]] %*% j %*% b[[t]]
  theta <- unlist(lapply(taus, function(t) rq.fit.br(x, y, tau = t)$coefficients))
  r <- kronecker(diff(diag(m)), cbind(0, diag(k - 1)))
  d <- r %*% theta; q <- nrow(r)
  f_ours <- drop(t(d) %*% solve(r %*% v %*% t(r), d)) / q
  fits <- lapply(taus, function(t) { e <- new.env(); rq(f, tau = t, data = frame, method = "br") })
  theirs <- do.call(anova, c(fits, list(joint = TRUE)))$table
  stopifnot(abs(theirs$Tn / f_ours - 1) < 1e-2, theirs$ndf == q)
  list(data = data, formula = formula, taus = I(taus), f = f_ours, df1 = q, df2 = theirs$ddf, quantreg = theirs$Tn)
}
small <- generated("selection"); card <- read.csv(file.path("datasets", "card.csv.gz"))
values <- list()
for (tau in c(0.05, 0.25, 0.5, 0.8)) values[[paste0("small_", tau)]] <- one("tests/reference/selection.csv", small, "d ~ x + z1 + z2", tau, "group")
values$small_weighted <- one("tests/reference/selection.csv", small, "d ~ x + z1 + z2", 0.3, weight = "count")
for (tau in c(0.1, 0.5, 0.9)) values[[paste0("card_", tau)]] <- one("datasets/card.csv", card, "lwage ~ educ + exper + expersq + black + south + smsa", tau)
save_fixture("quantile", "quantile.R", software("quantreg"), c("tests/reference/selection.csv", "datasets/card.csv"),
  list(fits = values, equality = equality("tests/reference/selection.csv", small, "d ~ x + z1 + z2", c(0.25, 0.5, 0.75))), tolerance = 1e-8,
  note = "Estimates by Barrodale and Roberts. iid and ker are summary.rq's; nid is its formula with neighbouring quantiles by br (within 1e-3 of summary.rq, whose interior point is less exact); cluster and equality by formula, the latter within 1 % of anova.rq.")
