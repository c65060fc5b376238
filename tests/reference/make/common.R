# What the R scripts share: data, and how a fixture is written. Run from the root of the repository.
suppressPackageStartupMessages({library(jsonlite)})

dataset <- function(name) {
  plain <- file.path("datasets", paste0(name, ".csv"))
  read.csv(if (file.exists(plain)) plain else paste0(plain, ".gz"), check.names = FALSE)
}
generated <- function(name) read.csv(file.path("tests", "reference", paste0(name, ".csv")), check.names = FALSE)

software <- function(...) {
  packages <- c(...)
  versions <- vapply(packages, function(p) paste(p, as.character(packageVersion(p))), "")
  paste(c(versions, paste0("R ", R.version$major, ".", R.version$minor)), collapse = "; ")
}

rows <- function(m) { m <- unname(as.matrix(m)); lapply(seq_len(nrow(m)), function(i) m[i, ]) }
vec <- function(v) I(unname(as.numeric(v)))

save_fixture <- function(name, script, source, data, values, tolerance = 1e-9, note = "") {
  record <- list(source = source, command = paste("Rscript tests/reference/make/", script, sep = ""), date = as.character(Sys.Date()),
                 data = I(data), tolerance = tolerance, note = note, values = values)
  path <- file.path("tests", "reference", paste0(name, ".json"))
  writeLines(toJSON(record, digits = I(17), auto_unbox = TRUE, pretty = FALSE, na = "string", null = "null"), path)
  cat(path, "\n")
}
