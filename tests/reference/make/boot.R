# Intervals of boot.ci from given replicates: ratio of means of nsw re78 and re75 + 1 among the treated, and a correlation.
library(boot); library(jsonlite)
nsw <- read.csv("datasets/nsw_mixtape.csv")
d <- nsw[nsw$treat == 1, c("re78", "re75", "educ")]
ratio <- function(d, i) {
  x <- d$re75[i] + 1000; y <- d$re78[i]; r <- mean(y) / mean(x)
  c(r, mean((y - r * x)^2) / mean(x)^2 / length(i))
}
one <- function(stat, R, seed) {
  set.seed(seed)
  b <- boot(d, stat, R = R)
  n <- nrow(d)
  left <- sapply(1:n, function(i) stat(d, (1:n)[-i])[1])
  L <- (n - 1) * (mean(left) - left)
  ci <- function(conf) { o <- boot.ci(b, conf = conf, type = c("basic", "perc", "bca", "stud"), L = L, var.t0 = b$t0[2], var.t = b$t[, 2])
    list(normal = boot.ci(b, conf = conf, type = "norm")$normal[2:3], basic = o$basic[4:5], percentile = o$percent[4:5], bca = o$bca[4:5], student = o$student[4:5]) }
  list(estimate = b$t0[1], std_error = sqrt(b$t0[2]), replicates = b$t[, 1], std_errors = sqrt(b$t[, 2]), left_out = left,
       bias = mean(b$t[, 1]) - b$t0[1], deviation = sd(b$t[, 1]), level_90 = ci(0.9), level_95 = ci(0.95))
}
correlation <- function(d, i) { x <- d$educ[i]; y <- d$re78[i]; r <- cor(x, y); c(r, (1 - r^2)^2 / (length(i) - 1)) }
out <- list(source = paste0("boot ", packageVersion("boot"), "; R ", getRversion()), command = "Rscript tests/reference/make/boot.R",
  date = "2026-11-22", data = I("datasets/nsw_mixtape.csv"), tolerance = 1e-10,
  note = "Replicates and jackknife values are stored, so that intervals are compared on the same replicates; the influence of bca is centred, (n - 1)(mean - left).",
  values = list(ratio = one(ratio, 399, 1), correlation = one(correlation, 412, 2)))
write_json(out, "tests/reference/boot.json", digits = NA, auto_unbox = TRUE)
