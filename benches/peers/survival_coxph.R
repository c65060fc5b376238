# R survival: Cox regression of 100 000 rows on five regressors, Efron's ties. Usage: TASK FILE [REPETITIONS]
suppressPackageStartupMessages(library(survival))
given <- commandArgs(trailingOnly = TRUE)
repetitions <- if (length(given) > 2) as.integer(given[3]) else 5L
d <- read.csv(given[2])
status <- function(line) as.numeric(gsub("[^0-9]", "", grep(line, readLines("/proc/self/status"), value = TRUE))) / 1024
once <- function() {
  fit <- coxph(Surv(time, event) ~ x1 + x2 + x3 + x4 + x5, d)
  c(coef(fit), setNames(sqrt(diag(vcov(fit))), paste0("se_", names(coef(fit)))))
}
invisible(gc())
before <- status("VmRSS")
cat("5", file = "/proc/self/clear_refs")
found <- once()
wall <- cpu <- numeric()
for (i in seq_len(repetitions)) {
  invisible(gc())
  t <- system.time(found <- once())
  wall <- c(wall, t[["elapsed"]])
  cpu <- c(cpu, t[["user.self"]] + t[["sys.self"]])
}
peak <- status("VmHWM")
list_of <- function(v) paste0("[", paste(format(v, digits = 15, trim = TRUE), collapse = ", "), "]")
cat(sprintf('{"task": "%s", "peer": "survival (R)", "version": "%s", "wall": %s, "cpu": %s, "peak_rss_mb": %f, "peak_rss_mb_above_data": %f, "coefficients": {%s}}\n',
            given[1], packageVersion("survival"), list_of(wall), list_of(cpu), peak, peak - before,
            paste0('"', names(found), '": ', format(found, digits = 15, trim = TRUE), collapse = ", ")))
