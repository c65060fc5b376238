# Writes design.json: R's model frames and model matrices for the formulas of tests/library/design.rs.
# Run in this folder: Rscript design.R
library(jsonlite)
d <- data.frame(
  y = c(1.5, 2.25, -0.5, 3, 4.75, 0.25, 2, 5.5, -1.25, 3.5, 0.75, 2.5),
  x = c(0.5, -1.25, NA, 2, 0.75, 1.5, -0.5, 3.25, 1, NA, -2.5, 0.25),
  z = c(1, 2.5, 4, 0.5, 3, 1.75, 2, 5, 0.25, 3.5, 2.75, 1.25),
  k = c(1, 2, 3, 1, 2, 3, 1, 2, 3, 3, 2, 1),
  arm = c("control", "treated", "waiting", "treated", "control", "waiting", "treated", "control",
          "waiting", "control", "treated", "waiting"),
  g = c("b", "a", "a", "b", "a", "b", "a", "b", "a", "b", "b", "a"),
  stringsAsFactors = FALSE
)
formulas <- c(
  "y ~ x", "y ~ 1", "y ~ 0 + x", "y ~ x - 1 + z", "y ~ arm", "y ~ 0 + arm", "y ~ arm + g", "y ~ 0 + arm + g",
  "y ~ 0 + g + arm + factor(k)", "y ~ arm*g", "y ~ arm:g", "y ~ 0 + arm:g", "y ~ arm + arm:g", "y ~ g + arm:g",
  "y ~ x*arm", "y ~ x:arm", "y ~ x + x:arm", "y ~ arm:x + arm", "y ~ 0 + x:arm", "y ~ 0 + x:arm + x:g",
  "y ~ factor(k)*x", "y ~ 0 + z + factor(k)", "y ~ (x + z + arm)^2", "y ~ (arm + g + factor(k))^2",
  "y ~ arm:g + g:factor(k) + arm:factor(k)", "y ~ 0 + arm:g + g:factor(k)", "y ~ arm*g*z", "y ~ arm*g*factor(k)",
  "y ~ z*arm*g - arm:g", "y ~ (x + z)*arm - z", "y ~ poly(z, 3)", "y ~ poly(z, 2)*arm", "y ~ poly(z, 3, raw = TRUE)",
  "y ~ poly(log(z), 2)", "y ~ log(z) + I(x^2) + I(x + 2*z) + sqrt(z) + I((z > 2) * x)", "y ~ log1p(z) + expm1(x) + log2(z):arm",
  "y ~ I(-z^2) + I(2^-1 * z) + I(z - 1 - x) + I(z / 2 / x)", "log(z) ~ exp(x) + abs(x) + log10(z)",
  "y - z ~ x", "y ~ .", "y ~ . - z", "y ~ . + I(z^2) - arm", "y ~ (.)^2 - k - x:k - z:k - k:arm - k:g", "y ~ g:. - k:g - k", "y ~ z + x:z + x",
  "y ~ I(z >= 2.5) + I(z != 3) + I(k == 2)"
)
cases <- lapply(formulas, function(text) {
  f <- terms(as.formula(text), data = d)
  frame <- model.frame(f, d)
  m <- model.matrix(terms(frame), frame)
  list(formula = text, rows = as.integer(rownames(frame)) - 1L, outcome = as.numeric(model.response(frame)),
       names = I(colnames(m)),
       columns = I(lapply(seq_len(ncol(m)), function(j) I(unname(m[, j])))))
})
out <- list(
  source = list(software = R.version.string, command = "Rscript design.R", date = format(Sys.Date()),
                tolerance = 1e-12, data = "made up for this test, in design.R"),
  data = as.list(d), cases = cases)
writeLines(toJSON(out, digits = I(17), auto_unbox = TRUE, na = "null", pretty = FALSE), "design.json")
