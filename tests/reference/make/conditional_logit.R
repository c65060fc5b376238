# conditional_logit.json: fixed-effects logit by survival::clogit (exact), on generated data of unequal groups.
source("tests/reference/make/common.R")
suppressPackageStartupMessages({library(survival)})
set.seed(20)
sizes <- rep(c(2, 3, 5, 8, 12), length.out = 60)
g <- rep(seq_along(sizes), sizes)
n <- length(g)
x <- round(rnorm(n) + 0.5 * rnorm(60)[g], 4)
z <- round(runif(n), 4)
fixed <- round(rnorm(60), 4)[g]
y <- as.integer(runif(n) < plogis(0.9 * x - 0.7 * z + rnorm(60)[g]))
d <- data.frame(customer = g, x = x, z = z, fixed = fixed, bought = y)
write.csv(d, "tests/reference/purchases.csv", row.names = FALSE)
d <- dataset <- generated("purchases")
fit <- clogit(bought ~ x + z + strata(customer), d, method = "exact", control = coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 60))
values <- list(purchases = list(data = "tests/reference/purchases.csv", formula = "bought ~ x + z | customer", names = names(coef(fit)),
  estimates = vec(coef(fit)), log_likelihood = fit$loglik[2], null_log_likelihood = fit$loglik[1], covariance = list(classical = rows(vcov(fit)))))
save_fixture("conditional_logit", "conditional_logit.R", software("survival"), "tests/reference/purchases.csv", values,
  note = "Exact conditional likelihood. The column `fixed` does not vary within customers.")
