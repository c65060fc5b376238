# cluster_r.json, cr2.json, hac_r.json: sandwich, clubSandwich and plm.
source("tests/reference/make/common.R")
suppressPackageStartupMessages({library(sandwich); library(clubSandwich); library(plm); library(lmtest)})

fit_of <- function(m) list(names = I(names(coef(m))), estimates = vec(coef(m)), n = nobs(m), df_residual = df.residual(m))

# ---- multi-way clustering ----
d <- generated("small_clusters")
m <- lm(y ~ treat + x, d)
cluster <- list(
  one_way = list(by = I("shop"), type_HC0_no_cadjust = rows(vcovCL(m, ~shop, type = "HC0", cadjust = FALSE)),
                 type_HC0_cadjust = rows(vcovCL(m, ~shop, type = "HC0", cadjust = TRUE)),
                 type_HC1_cadjust = rows(vcovCL(m, ~shop, type = "HC1", cadjust = TRUE))),
  two_way = list(by = I(c("shop", "week")), type_HC0_no_cadjust = rows(vcovCL(m, ~shop + week, type = "HC0", cadjust = FALSE)),
                 type_HC0_cadjust = rows(vcovCL(m, ~shop + week, type = "HC0", cadjust = TRUE)),
                 type_HC1_cadjust = rows(vcovCL(m, ~shop + week, type = "HC1", cadjust = TRUE)),
                 type_HC1_fixed = rows(vcovCL(m, ~shop + week, type = "HC1", cadjust = TRUE, fix = TRUE))),
  three_way = list(by = I(c("shop", "week", "city")), type_HC0_no_cadjust = rows(vcovCL(m, ~shop + week + city, type = "HC0", cadjust = FALSE)),
                   type_HC0_cadjust = rows(vcovCL(m, ~shop + week + city, type = "HC0", cadjust = TRUE)),
                   type_HC1_cadjust = rows(vcovCL(m, ~shop + week + city, type = "HC1", cadjust = TRUE))))
mw <- lm(y ~ treat + x, d, weights = weight)
cluster$one_way_weighted <- list(by = I("shop"), type_HC1_cadjust = rows(vcovCL(mw, ~shop, type = "HC1", cadjust = TRUE)))
cluster$two_way_weighted <- list(by = I(c("shop", "week")), type_HC1_cadjust = rows(vcovCL(mw, ~shop + week, type = "HC1", cadjust = TRUE)))
save_fixture("cluster_r", "robust.R", software("sandwich"), "tests/reference/small_clusters.csv",
  c(list(formula = "y ~ treat + x", fit = fit_of(m), fit_weighted = c(list(weights = "weight"), fit_of(mw))), cluster),
  note = paste("Multi-way is inclusion-exclusion over all intersections (Cameron, Gelbach & Miller 2011).",
    "cadjust multiplies each term by its own G/(G-1); in sandwich, with multi0 = FALSE and several clusters, the full intersection is treated like the others.",
    "type HC1 multiplies by (n-1)/(n-k), HC0 by one. fixed replaces negative eigenvalues by zero."))

# ---- CR2 ----
crs <- function(m, cluster, constraints, ..., types = c("CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3")) {
  out <- c(fit_of(m), list(covariance = list(), satterthwaite = list(), htz = list()))
  for (type in types) {
    v <- vcovCR(m, cluster = cluster, type = type, ...)
    out$covariance[[type]] <- rows(v)
    if (type %in% c("CR0", "CR1", "CR1S", "CR2", "CR3")) {
      t <- coef_test(m, vcov = v, test = "Satterthwaite")
      ci <- conf_int(m, vcov = v, level = 0.95, test = "Satterthwaite")
      out$satterthwaite[[type]] <- list(std_errors = vec(t$SE), t = vec(t$tstat), df = vec(t$df_Satt), p = vec(t$p_Satt),
                                        lower_95 = vec(ci$CI_L), upper_95 = vec(ci$CI_U))
    }
    if (type == "CR2") for (name in names(constraints)) {
      w <- Wald_test(m, constraints = constraints[[name]], vcov = v, test = "HTZ")
      out$htz[[name]] <- list(matrix = rows(constraints[[name]]), f = as.numeric(w$Fstat), df_num = as.numeric(w$df_num),
                              df_denom = as.numeric(w$df_denom), p = as.numeric(w$p_val))
    }
  }
  out
}
k3 <- list(slopes = rbind(c(0, 1, 0), c(0, 0, 1)), treat = matrix(c(0, 1, 0), 1), equal = matrix(c(0, 1, -1), 1))
seg <- lm(y ~ treat + x + factor(segment), d)
within <- lm(y ~ x + segment + factor(shop), d)
k_within <- length(coef(within))
select <- function(i, k) { m <- matrix(0, length(i), k); m[cbind(seq_along(i), i)] <- 1; m }
t <- subset(dataset("thornton_hiv"), !is.na(got) & !is.na(any) & !is.na(villnum) & !is.na(age))
th <- lm(got ~ any + age, t)
absorbed <- plm(y ~ x + segment, data = transform(d, id = shop), index = "id", model = "within", effect = "individual")
save_fixture("cr2", "robust.R", software("clubSandwich"), c("tests/reference/small_clusters.csv", "datasets/thornton_hiv.csv"),
  list(
    ols = c(list(data = "tests/reference/small_clusters.csv", formula = "y ~ treat + x", cluster = "shop"), crs(m, d$shop, k3)),
    ols_segment = c(list(data = "tests/reference/small_clusters.csv", formula = "y ~ treat + x + C(segment)", cluster = "shop"),
      crs(seg, d$shop, list(slopes = rbind(c(0, 1, 0, 0), c(0, 0, 1, 0), c(0, 0, 0, 1))))),
    wls_inverse_variance = c(list(data = "tests/reference/small_clusters.csv", formula = "y ~ treat + x", cluster = "shop", weights = "weight",
      target = "working covariance diag(1/w): clubSandwich inverse_var = TRUE"),
      crs(mw, d$shop, k3, inverse_var = TRUE, target = 1 / d$weight)),
    wls = c(list(data = "tests/reference/small_clusters.csv", formula = "y ~ treat + x", cluster = "shop", weights = "weight",
      target = "working covariance identity (clubSandwich's default for lm with weights)"), crs(mw, d$shop, k3)),
    dummies = c(list(data = "tests/reference/small_clusters.csv", formula = "y ~ x + segment + C(shop)", cluster = "shop",
      note = "cluster dummies in the model; only the second and third coefficients are meant to be compared"),
      crs(within, d$shop, list(slopes = select(2:3, k_within)), types = c("CR0", "CR1", "CR1S", "CR2"))),
    absorbed = c(list(data = "tests/reference/small_clusters.csv", formula = "y ~ x + segment | shop", cluster = "shop",
      note = "plm within model: the effects are absorbed"), crs(absorbed, d$shop, list(slopes = diag(2)), types = c("CR0", "CR1", "CR1S", "CR2"))),
    ols_two_groups_across = c(list(data = "tests/reference/small_clusters.csv", formula = "y ~ treat + x", cluster = "city"), crs(m, d$city, k3)),
    thornton = c(list(data = "datasets/thornton_hiv.csv", formula = "got ~ any + age", cluster = "villnum", sample = "all columns not missing"),
      crs(th, t$villnum, k3[c("slopes", "treat")]))),
  tolerance = 1e-8,
  note = paste("CR0 no factor; CR1 G/(G-1); CR1p G/(G-p); CR1S G(n-1)/((G-1)(n-p)); CR2 Bell-McCaffrey / Pustejovsky-Tipton adjustment; CR3 cluster jackknife.",
    "satterthwaite: degrees of freedom under the working model, one per coefficient. htz: approximate Hotelling T-squared test; p is of F(df_num, df_denom)."))

# ---- HAC ----
s <- generated("series"); p <- generated("panel_shocks")
ts <- lm(y ~ x1 + x2, s)
hac <- c(list(data = "tests/reference/series.csv", formula = "y ~ x1 + x2", order = "time"), fit_of(ts), list(
  newey_west_lag4 = rows(NeweyWest(ts, lag = 4, prewhite = FALSE, adjust = FALSE)),
  newey_west_lag4_adjusted = rows(NeweyWest(ts, lag = 4, prewhite = FALSE, adjust = TRUE)),
  newey_west_lag0 = rows(NeweyWest(ts, lag = 0, prewhite = FALSE, adjust = FALSE)),
  newey_west_lag12 = rows(NeweyWest(ts, lag = 12, prewhite = FALSE, adjust = FALSE)),
  automatic_bandwidth_1994 = bwNeweyWest(ts, prewhite = FALSE),
  newey_west_automatic = rows(NeweyWest(ts, prewhite = FALSE, adjust = FALSE))))
pd <- pdata.frame(p, index = c("unit", "time"))
pool <- plm(y ~ x1 + x2, pd, model = "pooling")
fe <- plm(y ~ x1 + x2, pd, model = "within", effect = "individual")
tw <- plm(y ~ x1 + x2, pd, model = "within", effect = "twoways")
dk <- function(m, formula) {
  out <- list(formula = formula, names = I(names(coef(m))), estimates = vec(coef(m)))
  for (lag in c(0, 2, 4)) out[[paste0("lag", lag)]] <- rows(vcovSCC(m, type = "HC0", maxlag = lag))
  out$lag2_sss <- rows(vcovSCC(m, type = "sss", maxlag = 2))
  out$arellano_by_unit <- rows(vcovHC(m, method = "arellano", type = "HC0", cluster = "group"))
  out
}
unbalanced <- pdata.frame(p[-c(3, 4, 77, 180, 333, 334, 335, 490), ], index = c("unit", "time"))
save_fixture("hac_r", "robust.R", software("sandwich", "plm"), c("tests/reference/series.csv", "tests/reference/panel_shocks.csv"),
  list(series = hac, pooled = dk(pool, "y ~ x1 + x2"), within = dk(fe, "y ~ x1 + x2 | unit"), two_way = dk(tw, "y ~ x1 + x2 | unit + time"),
    pooled_unbalanced = c(list(dropped_rows_from_1 = I(c(3, 4, 77, 180, 333, 334, 335, 490))),
      dk(plm(y ~ x1 + x2, unbalanced, model = "pooling"), "y ~ x1 + x2"))),
  note = paste("Newey-West: Bartlett weights 1 - l/(L+1), l = 1..L; adjusted multiplies by n/(n-k).",
    "Driscoll-Kraay (plm::vcovSCC): scores summed by period, Bartlett weights, HC0 without factor; sss multiplies by T/(T-1) (n-1)/(n-k) as plm defines it.",
    "arellano_by_unit is the one-way clustered sandwich without factor. Periods are ordered by time, not by row."))

# ---- HC0-HC3 and clusters of least squares, to check ols.json and wls.json ----
hc <- function(m, cluster = NULL) {
  out <- c(fit_of(m), list(covariance = c(list(classical = rows(vcov(m))), sapply(paste0("HC", 0:3), function(t) rows(vcovHC(m, type = t)), simplify = FALSE))))
  if (!is.null(cluster)) out$covariance$cluster <- rows(vcovCL(m, cluster, type = "HC1", cadjust = TRUE))
  out$log_likelihood <- as.numeric(logLik(m)); out$aic_counting_variance <- AIC(m); out$bic_counting_variance <- BIC(m)
  out
}
nsw <- dataset("nsw_mixtape"); hy <- subset(dataset("microfinance_hyderabad"), !is.na(spandana_1))
tv <- subset(dataset("thornton_hiv"), !is.na(got) & !is.na(any) & !is.na(villnum))
save_fixture("ols_r", "robust.R", software("sandwich"), c("datasets/nsw_mixtape.csv", "datasets/thornton_hiv.csv", "datasets/microfinance_hyderabad.csv"),
  list(nsw_adjusted = hc(lm(re78 ~ treat + age + educ + black + hisp + marr + nodegree + re74 + re75, nsw)),
    thornton = hc(lm(got ~ any, tv), tv$villnum),
    spandana_1 = hc(lm(spandana_1 ~ treatment + area_pop_base + area_debt_total_base + area_business_total_base + area_exp_pc_mean_base +
      area_literate_head_base + area_literate_base, hy, weights = w1), hy$areaid)),
  note = "As ols.json and wls.json, by R. R's AIC and BIC count the variance as a parameter.")
