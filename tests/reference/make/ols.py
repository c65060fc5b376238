"""ols.json and wls.json: least squares by statsmodels."""

import numpy as np
import statsmodels.formula.api as smf

from common import dataset, names, save, software

CARD = ("lwage ~ educ + exper + expersq + black + smsa + south + smsa66 + reg662 + reg663 + reg664 + reg665 + reg666 + reg667"
        " + reg668 + reg669")
AREA = ("area_pop_base + area_debt_total_base + area_business_total_base + area_exp_pc_mean_base + area_literate_head_base"
        " + area_literate_base")


def record(formula, frame, *, data, cluster=None, weights=None, sample=""):
    columns = [c for c in frame.columns if c in set(formula.replace("~", " ").replace("+", " ").split()) | {cluster, weights}]
    frame = frame.dropna(subset=columns)
    model = smf.ols(formula, frame) if weights is None else smf.wls(formula, frame, weights=frame[weights])
    fit = model.fit()
    out = dict(
        data=data, formula=formula, weights=weights, cluster=cluster, sample=sample, names=names(fit.params.index),
        estimates=fit.params, n=int(fit.nobs), df_residual=int(fit.df_resid), sigma2=fit.scale,
        r_squared=fit.rsquared, adj_r_squared=fit.rsquared_adj, f=fit.fvalue, f_p_value=fit.f_pvalue,
        log_likelihood=fit.llf, aic=fit.aic, bic=fit.bic, rss=fit.ssr, tss_centred=fit.centered_tss,
        t=fit.tvalues, p=fit.pvalues, interval_95=fit.conf_int(0.05), interval_90=fit.conf_int(0.10),
        residuals_first_5=np.asarray(fit.resid)[:5], fitted_first_5=np.asarray(fit.fittedvalues)[:5],
    )
    cov = {"classical": fit.cov_params(), "HC0": fit.cov_HC0, "HC1": fit.cov_HC1, "HC2": fit.cov_HC2, "HC3": fit.cov_HC3}
    if cluster:
        codes = frame[cluster].astype("category").cat.codes
        out["clusters"] = int(codes.nunique())
        for label, correction in [("cluster", True), ("cluster_uncorrected", False)]:
            c = model.fit(cov_type="cluster", cov_kwds=dict(groups=codes, use_correction=correction, df_correction=True), use_t=True)
            cov[label] = c.cov_params()
            if correction:
                out["cluster_t"], out["cluster_p"], out["cluster_interval_95"] = c.tvalues, c.pvalues, c.conf_int(0.05)
                slopes = [n for n in fit.params.index if n != "Intercept"]
                w = c.wald_test(np.eye(len(fit.params))[[list(fit.params.index).index(s) for s in slopes]], scalar=True, use_f=True)
                out["cluster_wald_all_slopes"] = dict(f=w.statistic, p=w.pvalue, df1=w.df_num, df2=w.df_denom)
    out["covariance"] = cov
    out["std_errors"] = {k: np.sqrt(np.diag(v)) for k, v in cov.items()}
    return out


nsw, thornton = dataset("nsw_mixtape"), dataset("thornton_hiv")
save(
    "ols", source=software("statsmodels"), data=["datasets/card.csv", "datasets/nsw_mixtape.csv", "datasets/thornton_hiv.csv"],
    note="HC1 = n/(n-k) HC0; HC2, HC3 divide squared residuals by (1-h), (1-h)^2. cluster = G/(G-1) (n-1)/(n-k) times the sandwich with t(G-1); "
         "cluster_uncorrected has no factor. aic and bic count the k coefficients but not the variance (R counts one more). Covariances row-major in the order of names.",
    values=dict(
        card=record(CARD, dataset("card"), data="datasets/card.csv"),
        nsw_difference=record("re78 ~ treat", nsw, data="datasets/nsw_mixtape.csv"),
        nsw_adjusted=record("re78 ~ treat + age + educ + black + hisp + marr + nodegree + re74 + re75", nsw, data="datasets/nsw_mixtape.csv"),
        thornton=record("got ~ any", thornton, data="datasets/thornton_hiv.csv", cluster="villnum", sample="got, any and villnum not missing"),
        thornton_controls=record("got ~ any + tinc + distvct + age", thornton, data="datasets/thornton_hiv.csv", cluster="villnum",
                                 sample="all columns not missing"),
    ),
)

hyderabad = dataset("microfinance_hyderabad")
save(
    "wls", source=software("statsmodels"), data=["datasets/microfinance_hyderabad.csv"],
    note="Weights enter as inverse variances (R's weights, Stata's aweights for the coefficients): sigma2 = sum w e^2 / (n-k); HC0 has scores w x e; "
         "the leverage is w x'(X'WX)^-1 x. log_likelihood includes + 0.5 sum log w, as in R.",
    values={
        y: record(f"{y} ~ treatment + {AREA}", hyderabad, data="datasets/microfinance_hyderabad.csv", weights="w1", cluster="areaid",
                  sample=f"{y} not missing")
        for y in ["spandana_1", "anymfi_1", "othermfi_1", "anyinformal_1"]
    },
)
