"""hac.json: Newey-West by statsmodels and pyfixest, Driscoll-Kraay by pyfixest and linearmodels."""

import warnings

import numpy as np
import pyfixest as pf
import statsmodels.formula.api as smf
from linearmodels.panel import PanelOLS, PooledOLS

from common import generated, names, save, software

warnings.filterwarnings("ignore")
SERIES, PANEL = "tests/reference/series.csv", "tests/reference/panel_shocks.csv"
NONE = pf.ssc(k_adj=False, G_adj=False)

series = generated("series")
model = smf.ols("y ~ x1 + x2", series)
base = model.fit()
ts = dict(data=SERIES, formula="y ~ x1 + x2", order="time", names=names(base.params.index), estimates=base.params, covariance={})
for lag in (0, 1, 4, 12):
    for label, correction in [("", False), ("_n_over_n_minus_k", True)]:
        ts["covariance"][f"lag{lag}{label}"] = model.fit(cov_type="HAC", cov_kwds=dict(maxlags=lag, use_correction=correction)).cov_params()
ts["pyfixest_lag4_uncorrected"] = pf.feols("y ~ x1 + x2", series, vcov="NW", vcov_kwargs=dict(time_id="time", lag=4), ssc=NONE)._vcov
ts["pyfixest_lag4_default"] = pf.feols("y ~ x1 + x2", series, vcov="NW", vcov_kwargs=dict(time_id="time", lag=4))._vcov
assert np.allclose(ts["pyfixest_lag4_uncorrected"], ts["covariance"]["lag4"], rtol=1e-10)

panel = generated("panel_shocks")
indexed = panel.set_index(["unit", "time"], drop=False)


def shocks(formula, effects, lag):
    out = dict(data=PANEL, formula=formula, lag=lag, unit="unit", time="time")
    for kind in ("DK", "NW"):
        for label, ssc in [("uncorrected", NONE), ("default", pf.ssc())]:
            m = pf.feols(formula, panel, vcov=kind, vcov_kwargs=dict(time_id="time", panel_id="unit", lag=lag), ssc=ssc, fixef_tol=1e-12)
            out[f"{kind}_{label}"] = dict(covariance=m._vcov, factor=np.asarray(m._ssc).ravel(), df_k=int(m._df_k), df_t=float(m._df_t))
    out["names"], out["estimates"] = names(m._coefnames), m._beta_hat
    x = indexed[["x1", "x2"]] if effects else indexed[["x1", "x2"]].assign(Intercept=1.0)[["Intercept", "x1", "x2"]]
    kind = PanelOLS(indexed.y, x, entity_effects="unit" in effects, time_effects="time" in effects) if effects else PooledOLS(indexed.y, x)
    out["linearmodels_kernel"] = kind.fit(cov_type="kernel", kernel="bartlett", bandwidth=lag, debiased=False).cov
    out["relative_difference_linearmodels"] = float(np.max(np.abs(np.asarray(out["linearmodels_kernel"]) / out["DK_uncorrected"]["covariance"] - 1)))
    print(formula, lag, out["relative_difference_linearmodels"])
    return out


save(
    "hac", source=software("statsmodels", "pyfixest", "linearmodels"), data=[SERIES, PANEL],
    note="Bartlett weights 1 - l/(L+1). covariance: statsmodels, uncorrected or times n/(n-k). DK: scores summed by period, then Bartlett over periods. NW on a panel: Bartlett within unit. "
         "pyfixest's default factor is (n-1)/(n-K) T/(T-1) with T periods. linearmodels_kernel: debiased = False.",
    values=dict(series=ts, **{f"{n}_lag{lag}": shocks(f, e, lag) for lag in (0, 2, 4) for n, f, e in
                              [("pooled", "y ~ x1 + x2", ()), ("within", "y ~ x1 + x2 | unit", ("unit",)), ("two_way", "y ~ x1 + x2 | unit + time", ("unit", "time"))]}),
)
