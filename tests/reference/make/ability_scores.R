# ability_scores.json with ability_scores.csv: base R (mantelhaen.test, glm, optim), psych, mitools, and formulas written down here.
source("tests/reference/make/common.R")
suppressPackageStartupMessages({library(psych); library(mitools); library(mice)})

# ---- data: ten right or wrong answers of two groups (item 3 is harder for "new"), a regressor, an outcome, a score with error ----
set.seed(20261122)
if (!file.exists("tests/reference/ability_scores.csv")) {
  n <- 600
  g <- rep(c("new", "old"), length.out = n)
  x <- round(rnorm(n), 4)
  a <- 0.5 * x - 0.3 * (g == "new") + rnorm(n, sd = 0.9)
  D <- c(1.2, 0.8, 1.5, 1.0, 1.8, 0.7, 1.3, 1.1); b <- c(-1.5, -1, -0.4, 0, 0.3, 0.8, 1.2, 1.6)
  items <- sapply(1:8, function(k) rbinom(n, 1, plogis(D[k] * (a - b[k] - 0.7 * (k == 3 & g == "new")))))
  se <- round(runif(n, 0.3, 0.9), 3)
  d <- data.frame(group = g, x, items, s = round(a + se * rnorm(n), 4), s_se = se, y = round(1 + 0.8 * a - 0.5 * x + rnorm(n), 4))
  names(d)[3:10] <- paste0("i", 1:8)
  d$bought <- rbinom(n, 1, pnorm(-0.2 + 0.7 * a + 0.3 * x))
  for (m in 1:5) d[[paste0("pv", m)]] <- round(a + rnorm(n, sd = 0.6), 4)
  write.csv(d, "tests/reference/ability_scores.csv", row.names = FALSE, quote = FALSE)
}
d <- generated("ability_scores"); n <- nrow(d)
Y <- as.matrix(d[paste0("i", 1:8)]); K <- ncol(Y)
values <- list()

# ---- reliability, DIF, Rubin's rules ----
al <- psych::alpha(d[paste0("i", 1:8)], check.keys = FALSE)
f <- psych::alpha.ci(al$total$raw_alpha, n, K)
values$alpha <- list(alpha = al$total$raw_alpha, rest = vec(al$item.stats$r.drop), without = vec(al$alpha.drop$raw_alpha), ci = vec(c(f$lower.ci, f$upper.ci)))
sums <- rowSums(Y); focal <- as.integer(d$group == "new")
mh <- lapply(1:K, function(k) {
  t <- table(factor(focal, 0:1), factor(1 - Y[, k], 0:1), factor(sums, 0:K)) # reference first, right first
  t <- t[, , apply(t, 3, sum) > 1]
  m <- mantelhaen.test(t)
  c(m$estimate, m$statistic, m$p.value, diff(log(m$conf.int)) / (2 * qnorm(0.975)))
})
values$mantel_haenszel <- rows(do.call(rbind, mh))
lr <- lapply(1:K, function(k) {
  f0 <- glm(Y[, k] ~ sums, family = binomial, epsilon = 1e-14); f1 <- update(f0, . ~ . + focal); f2 <- update(f1, . ~ . + focal:sums)
  null <- f0$null.deviance; r2 <- function(f) (1 - exp((deviance(f) - null) / n)) / (1 - exp(-null / n))
  c(coef(f1)["focal"], deviance(f0) - deviance(f1), deviance(f1) - deviance(f2), r2(f2) - r2(f0))
})
values$logistic <- rows(do.call(rbind, lr))
fits <- lapply(1:5, function(m) { d$a <- d[[paste0("pv", m)]]; lm(y ~ a + x, data = d) })
mi <- MIcombine(lapply(fits, coef), lapply(fits, vcov), df.complete = n - 3)
values$rubin <- list(names = c("(Intercept)", "a", "x"), estimates = vec(coef(mi)), covariance = rows(vcov(mi)),
  df = vec(sapply(1:3, function(j) pool.scalar(sapply(fits, function(f) coef(f)[j]), sapply(fits, function(f) vcov(f)[j, j]), n = n, k = 3)$df)))

# ---- scores of known items of four models; ability by integrate and uniroot ----
P <- list(
  function(a) { p <- plogis(1.3 * (a + 0.5)); c(1 - p, p) },                                 # two-parameter
  function(a) { p <- 0.2 + 0.8 * plogis(1.6 * (a - 0.4)); c(1 - p, p) },                     # three-parameter
  function(a) { q <- plogis(1.1 * (a - c(-1, 0.2, 1.1))); -diff(c(1, q, 0)) },               # graded
  function(a) { v <- cumsum(c(0, 0.9 * (a - c(-0.6, 0.7)))); exp(v) / sum(exp(v)) })         # generalised partial credit
patterns <- list(c(1, 1, 2, 1), c(0, 0, 0, 0), c(1, 1, 3, 2), c(1, 0, 1, 2), c(0, 1, 3, 0), c(NA, 1, NA, 2))
ldiff <- function(f, a, h = 1e-4) (8 * (f(a + h) - f(a - h)) - (f(a + 2 * h) - f(a - 2 * h))) / (12 * h)
score_one <- function(u, m0 = 0.3, sd = 1.2) {
  k <- which(!is.na(u))
  ll <- function(a) sapply(a, function(a) sum(sapply(k, function(i) log(P[[i]](a)[u[i] + 1]))))
  info <- function(a) sum(sapply(k, function(i) { p <- P[[i]](a); s <- (P[[i]](a + 1e-4) - P[[i]](a - 1e-4)) / 2e-4; sum(s^2 / p) }))
  J <- function(a) sum(sapply(k, function(i) { h <- 1e-3; p <- P[[i]](a); s <- (P[[i]](a + h) - P[[i]](a - h)) / (2 * h)
    cc <- (P[[i]](a + h) - 2 * p + P[[i]](a - h)) / h^2; sum(s * cc / p) }))
  post <- function(a) exp(ll(a) + dnorm(a, m0, sd, log = TRUE))
  int <- function(g) integrate(function(a) g(a) * post(a), m0 - 10 * sd, m0 + 10 * sd, rel.tol = 1e-12, subdivisions = 2000L)$value
  z <- int(function(a) 1); eap <- int(function(a) a) / z; psd <- sqrt(int(function(a) (a - eap)^2) / z)
  lp <- function(a) ll(a) + dnorm(a, m0, sd, log = TRUE)
  map <- optimize(lp, c(-6, 6), maximum = TRUE, tol = 1e-12)$maximum
  h <- 1e-3; map_se <- 1 / sqrt(-(lp(map + h) - 2 * lp(map) + lp(map - h)) / h^2)
  wle <- uniroot(function(a) ldiff(ll, a) + J(a) / (2 * info(a)), c(-6, 6), tol = 1e-12)$root
  c(eap, psd, map, map_se, wle, 1 / sqrt(info(wle)))
}
values$known <- list(patterns = lapply(patterns, function(u) I(ifelse(is.na(u), -1, u))), scores = rows(t(sapply(patterns, score_one))))

# ---- a regression on the score s with standard errors s_se: calibration and joint likelihood ----
v <- d$s_se^2; X <- cbind(1, d$x)
latent <- function(p) { m <- X %*% p[1:2]; -sum(dnorm(d$s, m, sqrt(exp(2 * p[3]) + v), log = TRUE)) }
lat <- optim(c(0, 0, 0), latent, method = "BFGS", control = list(reltol = 1e-16, maxit = 1000))$par
sig2 <- exp(2 * lat[3]); m <- drop(X %*% lat[1:2]); ahat <- m + sig2 / (sig2 + v) * (d$s - m)
rc <- lm(d$y ~ ahat + d$x)
# stacked estimating equations of (gamma, sigma^2, beta) with a numerical bread, cross terms and all
psi_all <- function(p) { g <- p[1:2]; s2 <- p[3]; be <- p[4:6]; mm <- drop(X %*% g); w <- 1 / (s2 + v); r <- d$s - mm
  ah <- mm + s2 * w * r; e <- d$y - be[1] - be[2] * ah - be[3] * d$x
  cbind(w * r, w * r * d$x, (w * r)^2 - w, e, e * ah, e * d$x) }
p0 <- c(lat[1:2], sig2, coef(rc)); A <- sapply(1:6, function(j) { h <- 1e-5; q <- p0; q[j] <- q[j] + h; u <- colSums(psi_all(q)); q[j] <- q[j] - 2 * h; (u - colSums(psi_all(q))) / (2 * h) })
V <- solve(A) %*% crossprod(psi_all(p0)) %*% t(solve(A))
values$calibration <- list(names = c("(Intercept)", "s", "x"), latent = vec(c(lat[1:2], sig2)), estimates = vec(coef(rc)), stacked_std_errors = vec(sqrt(diag(V))[4:6]),
                           naive = vec(coef(lm(y ~ s + x, data = d))))
joint <- function(p, binary) { g <- p[1:2]; s2 <- exp(2 * p[3]); mm <- drop(X %*% g); w <- 1 / (s2 + v); ah <- mm + s2 * w * (d$s - mm); t2 <- s2 * v * w
  eta <- p[4] + p[5] * ah + p[6] * d$x
  o <- if (binary) pnorm((2 * d$bought - 1) * eta / sqrt(1 + p[5]^2 * t2), log.p = TRUE) else dnorm(d$y, eta, sqrt(exp(2 * p[7]) + p[5]^2 * t2), log = TRUE)
  -sum(dnorm(d$s, mm, sqrt(s2 + v), log = TRUE) + o) }
joint_fit <- function(start, binary) {
  o <- optim(start, joint, binary = binary, method = "BFGS", control = list(reltol = 1e-16, maxit = 2000, ndeps = rep(1e-5, length(start))))
  o <- optim(o$par, joint, binary = binary, method = "BFGS", control = list(reltol = 1e-16, maxit = 2000, ndeps = rep(1e-6, length(start))), hessian = TRUE)
  list(estimates = vec(o$par), std_errors = vec(sqrt(diag(solve(o$hessian)))), log_likelihood = -o$value) }
values$joint_linear <- joint_fit(c(lat, coef(rc), 0), FALSE)
values$joint_probit <- joint_fit(c(lat, 0, 0.5, 0), TRUE)

# ---- the two-parameter model of the eight items by marginal likelihood, and everything that follows from it ----
q <- seq(-6, 6, length.out = 121); w <- dnorm(q); w <- w / sum(w)
lik <- function(D, t) { p <- plogis(outer(q, D) + matrix(t, length(q), K, byrow = TRUE)); exp(Y %*% t(log(p)) + (1 - Y) %*% t(log(1 - p))) }
nll <- function(p) -sum(log(lik(p[1:K], p[K + 1:K]) %*% w))
grad <- function(p) { D <- p[1:K]; t <- p[K + 1:K]; L <- lik(D, t); post <- sweep(L, 2, w, "*"); post <- post / rowSums(post)
  pr <- plogis(outer(q, D) + matrix(t, length(q), K, byrow = TRUE)); nq <- colSums(post); rq <- t(post) %*% Y; e <- rq - nq * pr
  -c(colSums(e * q), colSums(e)) }
o <- optim(c(rep(1, K), qlogis(colMeans(Y))), nll, grad, method = "BFGS", control = list(reltol = 1e-16, maxit = 2000))
D <- o$par[1:K]; t <- o$par[K + 1:K]; pr <- plogis(outer(q, D) + matrix(t, length(q), K, byrow = TRUE))
post <- sweep(lik(D, t), 2, w, "*"); post <- post / rowSums(post)
eap <- drop(post %*% q); psd <- sqrt(drop(post %*% q^2) - eap^2)
pa <- function(a) plogis(D * a + t)
wle <- apply(Y, 1, function(u) uniroot(function(a) { p <- pa(a); I <- sum(D^2 * p * (1 - p)); sum(D * (u - p)) + sum(D^3 * p * (1 - p) * (1 - 2 * p)) / (2 * I) }, c(-12, 12), tol = 1e-13)$root)
lz <- t(sapply(1:n, function(i) { a <- wle[i]; u <- Y[i, ]; p <- pa(a); Q <- 1 - p; W <- log(p / Q); dp <- D * p * Q; r <- dp / (p * Q)
  cn <- sum(dp * W) / sum(dp * r); wt <- W - cn * r; r0 <- sum(D^3 * p * Q * (1 - 2 * p)) / (2 * sum(D^2 * p * Q))
  z <- (u - p)^2 / (p * Q)
  c(sum((u - p) * W) / sqrt(sum(W^2 * p * Q)), (sum((u - p) * W) + cn * r0) / sqrt(sum(wt^2 * p * Q)), mean(z), sum((u - p)^2) / sum(p * Q)) }))
pw <- t(sapply(wle, pa)); res2 <- (Y - pw)^2; vw <- pw * (1 - pw)
lw <- function(cols) { S <- matrix(1, length(q), 1); for (k in cols) S <- cbind(S * (1 - pr[, k]), 0) + cbind(0, S * pr[, k]); S }
whole <- lw(1:K)
sx2 <- sapply(1:K, function(k) { rest <- lw(setdiff(1:K, k)); tot <- 0; cells <- list(); cur <- c(0, 0, 0)
  for (s in 1:(K - 1)) { N <- sum(sums == s); E <- N * sum(w * pr[, k] * rest[, s]) / sum(w * whole[, s + 1]); cur <- cur + c(N, sum(Y[sums == s, k]), E)
    if (min(cur[3], cur[1] - cur[3]) >= 1) { cells[[length(cells) + 1]] <- cur; cur <- c(0, 0, 0) } }
  if (cur[1] > 0) cells[[length(cells)]] <- cells[[length(cells)]] + cur
  c(sum(sapply(cells, function(c) { e <- c[3] / c[1]; c[1] * (c[2] / c[1] - e)^2 / (e * (1 - e)) })), length(cells) - 2) })
info <- function(a) sum(D^2 * pa(a) * (1 - pa(a)))
values$two_parameter <- list(discrimination = vec(D), difficulty = vec(-t / D), log_likelihood = -o$value, eap = vec(eap[1:20]), eap_sd = vec(psd[1:20]), wle = vec(wle[1:20]),
  person = rows(lz[1:20, ]), outfit = vec(colMeans(res2 / vw)), infit = vec(colSums(res2) / colSums(vw)), s_x2 = vec(sx2[1, ]), s_x2_df = vec(sx2[2, ]),
  marginal_reliability = sum(w * sapply(q, function(a) info(a) / (info(a) + 1))), empirical_reliability = var(eap) / (var(eap) + mean(psd^2)))

save_fixture("ability_scores", "ability_scores.R", software("psych", "mitools", "mice", "jsonlite"), "tests/reference/ability_scores.csv", values,
  tolerance = 1e-8, note = "alpha: psych::alpha, alpha.ci (Feldt). mantel_haenszel: mantelhaen.test, one row an item: odds ratio, chi-squared, p, s.e. of ln. logistic: glm. rubin: mitools::MIcombine, degrees of freedom by mice::pool.scalar (those of mitools leave (1 + 1/M) out of the observed-data part). All else is written down in the script with optim, uniroot and integrate: known (scores of four items of four models under N(0.3, 1.2^2): EAP, sd, MAP, s.e., WLE, s.e.; -1 is missing), calibration (stacked_std_errors with cross terms), joint likelihoods (order: gamma, ln sigma_a, intercept, theta, x, ln sigma_e), two_parameter (marginal likelihood on 121 nodes; person: l_z, l_z*, outfit, infit at the WLE).")
