# learners_r.json: glmnet's paths and cross-validation for squared and logistic loss.
source("tests/reference/make/common.R")
suppressPackageStartupMessages(library(glmnet))
glmnet.control(fdev = 0, devmax = 1)

path <- function(data, frame, y, x, family, alpha, lambdas, weights = NULL, factors = NULL, unit_variance = FALSE) {
  X <- as.matrix(frame[, x]); Y <- frame[[y]]
  w <- if (is.null(weights)) rep(1, nrow(X)) else frame[[weights]]
  # glmnet's ridge part is in units of the target's standard deviation: a target of unit variance removes the difference.
  if (unit_variance) Y <- Y / sqrt(sum(w * (Y - sum(w * Y) / sum(w))^2) / sum(w))
  f <- if (is.null(factors)) rep(1, length(x)) else factors
  fit <- glmnet(X, Y, family = family, alpha = alpha, lambda = lambdas, weights = w, penalty.factor = f, thresh = 1e-20, maxit = 1e8)
  list(data = data, outcome = y, features = I(x), family = family, alpha = alpha, lambda = lambdas, weights = weights, factors = factors,
    unit_variance = unit_variance, coefficients = unname(apply(as.matrix(coef(fit)), 2, function(b) as.list(unname(b)))))
}
validated <- function(data, frame, y, x, family, alpha) {
  X <- as.matrix(frame[, x]); Y <- frame[[y]]
  folds <- (seq_len(nrow(X)) - 1) %% 10 + 1
  # Given strengths, the folds are fitted at these and not interpolated from paths of their own.
  lambdas <- glmnet(X, Y, family = family, alpha = alpha, nlambda = 100)$lambda
  cv <- cv.glmnet(X, Y, family = family, alpha = alpha, foldid = folds, lambda = lambdas, thresh = 1e-20, maxit = 1e8)
  list(data = data, outcome = y, features = I(x), family = family, alpha = alpha, lambda = cv$lambda, loss = cv$cvm, std_error = cv$cvsd,
    lambda_min = cv$lambda.min, lambda_1se = cv$lambda.1se, nonzero = unname(cv$nzero), coefficients = as.numeric(coef(cv, s = "lambda.min")))
}
card <- read.csv("datasets/card.csv.gz"); mroz <- dataset("mroz")
card$age_weight <- 1 + card$age %% 4
controls <- c("educ", "exper", "expersq", "black", "smsa", "south", "smsa66", paste0("reg66", 2:9))
wide <- c("educ", "exper", "age", "kidslt6", "kidsge6", "nwifeinc", "hushrs", "husage", "huseduc", "huswage", "mtr", "motheduc", "fatheduc", "unem", "city")
wide <- intersect(wide, names(mroz))
six <- c(0.1, 0.03, 0.01, 0.003, 0.001, 0.0001)
save_fixture("learners_r", "learners.R", software("glmnet"), c("datasets/card.csv", "datasets/mroz.csv"),
  list(lasso = path("datasets/card.csv", card, "lwage", controls, "gaussian", 1, six),
    lasso_weights = path("datasets/card.csv", card, "lwage", controls, "gaussian", 1, six, weights = "age_weight"),
    lasso_factors = path("datasets/card.csv", card, "lwage", controls, "gaussian", 1, six, factors = c(0, 1, 3, rep(1, 11), 2)),
    elastic_net = path("datasets/card.csv", card, "lwage", controls, "gaussian", 0.5, six, unit_variance = TRUE),
    ridge = path("datasets/card.csv", card, "lwage", controls, "gaussian", 0, six, unit_variance = TRUE),
    logistic_lasso = path("datasets/mroz.csv", mroz, "inlf", wide, "binomial", 1, six),
    logistic_elastic_net = path("datasets/mroz.csv", mroz, "inlf", wide, "binomial", 0.3, six),
    logistic_ridge = path("datasets/mroz.csv", mroz, "inlf", wide, "binomial", 0, six),
    cv_lasso = validated("datasets/card.csv", card, "lwage", controls, "gaussian", 1),
    cv_logistic_elastic_net = validated("datasets/mroz.csv", mroz, "inlf", wide, "binomial", 0.5),
    cv_logistic = validated("datasets/mroz.csv", mroz, "inlf", wide, "binomial", 1)),
  note = "Objective 1/(2 sum w) sum w (y - a - xb)^2 + lambda (alpha |b|_1 + (1 - alpha)/2 |b|^2), b per standard deviation of its column; logistic: minus the mean log-likelihood. Deviance (loss of the cv_logistic cases) is twice the mean negative log-likelihood. age_weight is 1 + age mod 4. Row i (from 0) is in fold i mod 10. coefficients begin with the intercept; unit_variance: the target was divided by its standard deviation first.")
