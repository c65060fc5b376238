# Group-sequential bounds, futility, power, expected sizes and stage-wise results by rpact.
source("tests/reference/make/common.R")
suppressPackageStartupMessages(library(rpact))

kinds <- list(OF = list(typeOfDesign = "OF"), P = list(typeOfDesign = "P"), WT25 = list(typeOfDesign = "WT", deltaWT = 0.25),
              WT10 = list(typeOfDesign = "WT", deltaWT = 0.1), HP = list(typeOfDesign = "HP", constantBoundsHP = 3.5), asOF = list(typeOfDesign = "asOF"),
              asP = list(typeOfDesign = "asP"), HSD_4 = list(typeOfDesign = "asHSD", gammaA = -4), HSD1 = list(typeOfDesign = "asHSD", gammaA = 1),
              KD3 = list(typeOfDesign = "asKD", gammaA = 3))
design <- function(...) suppressWarnings(getDesignGroupSequential(..., tolerance = 1e-10))

bounds <- list()
for (kind in names(kinds)) for (sided in 1:2) for (k in c(2, 3, 4, 5, 7, 9, 10)) for (alpha in c(0.001, 0.01, 0.025, 0.05, 0.1)) {
  found <- try(do.call(design, c(list(kMax = k, alpha = alpha, sided = sided), kinds[[kind]])), silent = TRUE)
  if (inherits(found, "try-error") || !all(is.finite(found$criticalValues))) next
  bounds[[length(bounds) + 1]] <- list(kind = kind, sided = sided, alpha = alpha, fractions = vec(1:k / k), z = vec(found$criticalValues))
}
unequal <- c(0.2, 0.55, 0.6, 1)
for (kind in names(kinds)) for (sided in 1:2) {
  found <- do.call(design, c(list(informationRates = unequal, alpha = 0.04, sided = sided), kinds[[kind]]))
  bounds[[length(bounds) + 1]] <- list(kind = kind, sided = sided, alpha = 0.04, fractions = vec(unequal), z = vec(found$criticalValues))
}

# Drift, expected sizes and probabilities of stopping; one-sided with futility, two-sided without.
characteristics <- function(found) {
  suppressWarnings(ch <- getDesignCharacteristics(found))
  list(shift = ch$shift, inflation = ch$inflationFactor, expected = vec(c(ch$averageSampleNumber0, ch$averageSampleNumber01, ch$averageSampleNumber1)))
}
futility <- list()
spending <- list(asOF = "bsOF", asP = "bsP", HSD_4 = "bsHSD", KD3 = "bsKD")
for (kind in names(spending)) for (binding in c(FALSE, TRUE)) for (k in c(2, 3, 5, 8)) for (beta in c(0.1, 0.2)) {
  found <- do.call(design, c(list(kMax = k, alpha = 0.025, beta = beta, sided = 1, typeBetaSpending = spending[[kind]],
                                  gammaB = if (kind == "KD3") 2 else -2, bindingFutility = binding), kinds[[kind]]))
  # A design without recursion of the futility bounds (k too large for rpact) is left out.
  if (any(is.na(found$futilityBounds))) next
  futility[[length(futility) + 1]] <- c(list(kind = kind, binding = binding, fractions = vec(1:k / k), alpha = 0.025, beta = beta, z = vec(found$criticalValues),
                                             futility = vec(found$futilityBounds), power = vec(found$power)), characteristics(found))
}
plain <- list()
for (kind in names(kinds)) for (sided in 1:2) for (k in c(1, 3, 5)) {
  if (k == 1 && kind != "asOF") next
  found <- do.call(design, c(list(kMax = k, alpha = 0.05, beta = 0.1, sided = sided), kinds[[kind]]))
  plain[[length(plain) + 1]] <- c(list(kind = kind, sided = sided, fractions = vec(1:k / k), alpha = 0.05, beta = 0.1), characteristics(found))
}

# One sample of normal outcomes with standard deviation 1, one-sided: stage-wise p-value, median-unbiased estimate and 95 % interval.
final <- list()
cases <- list(list(kind = "P", n = c(50, 100), means = c(0.2, 0.33)), list(kind = "OF", n = c(50, 100, 150), means = c(0.2, 0.1, 0.17)),
              list(kind = "OF", n = c(50, 100, 150), means = c(0.2, -0.1, -0.05)), list(kind = "asP", n = 50, means = 0.5),
              list(kind = "asOF", n = c(50, 100, 150), means = c(0.3, 0.15, 0.2)))
for (case in cases) {
  found <- do.call(design, c(list(kMax = 3, alpha = 0.025, sided = 1), kinds[[case$kind]]))
  data <- getDataset(overallN = case$n, overallMeans = case$means, overallStDevs = rep(1, length(case$n)))
  stage <- getStageResults(found, dataInput = data, normalApproximation = TRUE)
  out <- getFinalConfidenceInterval(found, data, normalApproximation = TRUE)
  final[[length(final) + 1]] <- list(kind = case$kind, n = vec(case$n), means = vec(case$means), maximum = 150, p = getFinalPValue(stage)$pFinal,
                                     median = out$medianUnbiased, interval = vec(out$finalConfidenceInterval))
}

# Conditional power at look 2 of 3 for a mean of 0.25, one sample of standard deviation 1, 50 observations a look.
conditional <- list()
for (kind in c("OF", "P")) {
  found <- do.call(design, c(list(kMax = 4, alpha = 0.025, sided = 1), kinds[[kind]]))
  data <- getDataset(overallN = c(50, 100), overallMeans = c(0.1, 0.12), overallStDevs = c(1, 1))
  stage <- getStageResults(found, dataInput = data, normalApproximation = TRUE)
  out <- getConditionalPower(stage, nPlanned = c(50, 50), thetaH1 = 0.25, assumedStDev = 1)
  conditional[[length(conditional) + 1]] <- list(kind = kind, power = out$conditionalPower[4])
}

save_fixture("group_sequential", "group_sequential.R", software("rpact"), character(0),
  list(bounds = bounds, futility = futility, plain = plain, final = final, conditional = conditional), tolerance = 1e-5,
  note = paste("All tolerances absolute. rpact solves to 1e-10 in probability where it can; cases in which its bounds are infinite (level 0.01 with 9 or 10 looks) are left out.",
    "expected: relative to one look, without effect, at half and with it. final: one sample, sd 1, three looks at 50, 100, 150, rpact's own tolerance is 1e-6.",
    "futility of kind HSD_4 and KD3 spends the second error with gamma -2 and rho 2."))
