# Expected values of test_concordance.py, from packages that others wrote and reviewed.
#
# Debian 12: apt-get install --no-install-recommends r-cran-epir r-cran-psych r-cran-jsonlite
# Command, in this folder: Rscript agreement.R
#
# Reads agreement.csv (synthetic pairs of columns, rounded), writes agreement.json.
# lmer = FALSE: mean squares of the two-way ANOVA, as McGraw and Wong have them. By default
# psych fits variance components with lme4, which are never negative.

suppressPackageStartupMessages({
  library(epiR)
  library(psych)
})

levels <- c("0.9", "0.95")

concordance <- function(pair, level) {
  epi.ccc(pair$reference, pair$other, ci = "z-transform", conf.level = level)$rho.c
}

intraclass <- function(pair, level) {
  ratings <- pair[, c("reference", "other")]
  found <- ICC(ratings, alpha = 1 - level, lmer = FALSE)$results
  found[found$type == "ICC2", c("ICC", "lower bound", "upper bound")]
}

coefficient <- function(method, pair) {
  rows <- lapply(setNames(levels, levels), function(level) unlist(method(pair, as.numeric(level))))
  list(
    value = jsonlite::unbox(rows[[1]][[1]]),
    limits = lapply(rows, function(row) unname(row[2:3]))
  )
}

expected <- function(pair) {
  list(ccc = coefficient(concordance, pair), icc = coefficient(intraclass, pair))
}

pairs <- read.csv("agreement.csv")
versions <- lapply(
  c(epiR = "epiR", psych = "psych"),
  function(name) jsonlite::unbox(as.character(packageVersion(name)))
)
result <- list(
  versions = c(list(R = jsonlite::unbox(R.version.string)), versions),
  features = lapply(split(pairs, pairs$feature), expected)
)
jsonlite::write_json(result, "agreement.json", digits = NA, pretty = TRUE)
