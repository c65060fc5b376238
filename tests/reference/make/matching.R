# Nearest-neighbour matching with replacement: effects and Abadie–Imbens errors by Matching,
# without by a plain loop (MatchIt 4.5.1 passes over nearer rows), on the NSW trial and on simulated data.
source("tests/reference/make/common.R")
suppressPackageStartupMessages(library(Matching))

one <- function(Y, Tr, X, ...) {
  m <- suppressWarnings(Match(Y = Y, Tr = Tr, X = X, distance.tolerance = 1e-9, ...))
  vec(c(m$est[1], m$se))
}
nsw <- dataset("nsw_mixtape")
x <- as.matrix(nsw[, c("age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75")])
sim <- generated("causal")
sx <- as.matrix(sim[, c("x1", "x2")])
e <- glm(treat ~ age + educ + black + hisp + marr + nodegree + re74 + re75, binomial, nsw, control = list(epsilon = 1e-14, maxit = 50))$fitted

nearest <- list()
for (estimand in c("ATE", "ATT", "ATC")) for (weight in 1:2) for (M in c(1, 4)) for (J in c(1, 3)) for (bias in c(FALSE, TRUE)) {
  nearest[[length(nearest) + 1]] <- list(estimand = estimand, mahalanobis = weight == 2, neighbours = M, variance = J, bias = bias,
    nsw = one(nsw$re78, nsw$treat, x, estimand = estimand, Weight = weight, M = M, Var.calc = J, BiasAdjust = bias),
    causal = one(sim$y, sim$w, sx, estimand = estimand, Weight = weight, M = M, Var.calc = J, BiasAdjust = bias))
}
limits <- list()
for (estimand in c("ATE", "ATT", "ATC")) {
  limits[[length(limits) + 1]] <- list(estimand = estimand,
    caliper = vec(unlist(suppressWarnings(Match(Y = sim$y, Tr = sim$w, X = sx, estimand = estimand, Weight = 2, caliper = c(0.05, 0.2), distance.tolerance = 1e-9))[c("est", "ndrops")])),
    propensity = one(nsw$re78, nsw$treat, e, estimand = estimand, M = 2, Var.calc = 2))
}
# Greedy matching without replacement by its definition, with a third of the treated rows; the row of each match, in the order of the focal rows.
few <- sim[sim$w == 0 | seq_len(nrow(sim)) %% 3 == 0, ]
few$half <- as.integer(few$x2 > 0)
rownames(few) <- seq_len(nrow(few))
greedy <- list()
for (link in c("logit", "linear.logit")) for (order in c("largest", "smallest", "data")) for (ratio in 1:2) for (limit in c("none", "exact")) {
  p <- glm(w ~ x1 + x2, binomial, few, control = list(epsilon = 1e-14, maxit = 50))
  d <- if (link == "logit") p$fitted else p$linear.predictors
  focal <- which(few$w == 1)
  turn <- switch(order, largest = base::order(-d[focal]), smallest = base::order(d[focal]), data = seq_along(focal))
  left <- few$w == 0
  matches <- matrix(0L, length(focal), ratio)
  for (round in 1:ratio) for (i in turn) {
    can <- which(left & (limit == "none" | few$half == few$half[focal[i]]))
    matches[i, round] <- can[which.min(abs(d[can] - d[focal[i]]))]
    left[matches[i, round]] <- FALSE
  }
  used <- rowSums(matches) > 0
  y1 <- few$y[few$w == 1][used]
  d <- vapply(which(used), function(i) { j <- matches[i, ]; few$y[which(few$w == 1)[i]] - mean(few$y[j[j > 0]]) }, 0)
  greedy[[length(greedy) + 1]] <- list(link = link, order = order, ratio = ratio, limit = limit, matches = rows(matches),
    effect = vec(c(mean(d), sd(d) / sqrt(length(d)))))
}
# With a caliper by Matching, in the order of the data.
e <- glm(w ~ x1 + x2, binomial, few, control = list(epsilon = 1e-14, maxit = 50))$fitted
for (caliper in c(0.02, 0.2)) {
  m <- suppressWarnings(Match(Y = few$y, Tr = few$w, X = e, replace = FALSE, ties = FALSE, caliper = caliper, distance.tolerance = 1e-12))
  matches <- matrix(0, sum(few$w), 1)
  matches[match(m$index.treated, which(few$w == 1)), 1] <- m$index.control
  d <- few$y[m$index.treated] - few$y[m$index.control]
  greedy[[length(greedy) + 1]] <- list(link = "logit", order = "data", ratio = 1, limit = "caliper", caliper = caliper, matches = rows(matches),
    effect = vec(c(mean(d), sd(d) / sqrt(length(d)))))
}
save_fixture("matching", "matching.R", software("Matching"), c("datasets/nsw_mixtape.csv", "tests/reference/causal.csv"),
             list(nearest = nearest, limits = limits, greedy = greedy), tolerance = 1e-6,
             note = "Effect and standard error. Matching counts distances within 1e-9 as ties. caliper: effect and rows without a match, within 0.05 and 0.2 standard deviations of x1 and x2; its errors count dropped rows and are not taken. greedy: matches (by a loop, with a caliper by Matching) by row among those kept, from 1 (0 none), the effect and its error over sets. propensity: known, without the adjustment for its estimation.")
