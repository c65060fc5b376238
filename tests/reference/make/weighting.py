"""weighting.json: average effects by weighting, by statsmodels and from their moment conditions.

statsmodels has inverse propensities with errors by GMM for the ATE, the ATT and the ATC. All methods are written here as moment conditions that are
solved by a root finder, with the sandwich of a numerical derivative: no formula of ours is used twice. Clusters sum the moments. Variances are without n/(n - 1).
Balance is by its definitions; scipy has the unweighted Kolmogorov-Smirnov distance."""

import numpy as np
import statsmodels.api as sm
from scipy.optimize import root
from scipy.stats import ks_2samp
from statsmodels.treatment.treatment_effects import TreatmentEffect

from common import generated, save, software

H = {
    "ate": lambda e: np.ones_like(e),
    "att": lambda e: e,
    "atc": lambda e: 1 - e,
    "ato": lambda e: e * (1 - e),
}


def by_statsmodels(d):
    x = sm.add_constant(d[["x1", "x2"]])
    effect = TreatmentEffect(sm.OLS(d["y"], x), d["w"], results_select=sm.Logit(d["w"], x).fit(disp=0, tol=1e-14))
    out = {}
    for name, group in [("ate", "all"), ("att", 1), ("atc", 0)]:
        fit = effect.ipw(effect_group=group)
        out[name] = [fit.effect, fit.results_gmm.bse[0]]
    return out


def moments(method, estimand, theta, y, w, x, s):
    """One row a row of the data: first step, then mean of the treated, then of the untreated."""
    p = x.shape[1]
    beta, (m1, m0) = theta[:-2], theta[-2:]
    if method == "entropy":
        if estimand == "ate":
            o1, o0 = np.exp(x @ beta[:p]), np.exp(x @ beta[p:])
            first = [(1 - w * o1)[:, None] * x, (1 - (1 - w) * o0)[:, None] * x]
        elif estimand == "att":
            o1, o0 = np.ones(len(y)), np.exp(x @ beta)
            first = [(w - (1 - w) * o0)[:, None] * x]
        else:
            o1, o0 = np.exp(x @ beta), np.ones(len(y))
            first = [(w * o1 - (1 - w))[:, None] * x]
    else:
        e = 1 / (1 + np.exp(-x @ beta))
        o1, o0 = H[estimand](e) / e, H[estimand](e) / (1 - e)
        first = [(w - e)[:, None] * x] if method == "logit" else [(w * o1 - (1 - w) * o0)[:, None] * x]
    last = np.column_stack([w * o1 * (y - m1), (1 - w) * o0 * (y - m0)])
    return np.column_stack([*first, last]) * s[:, None]


def jacobian(f, theta, h=1e-5):
    out = []
    for k in range(len(theta)):
        step = np.zeros(len(theta))
        step[k] = h
        # Fourth order.
        out.append((8 * (f(theta + step) - f(theta - step)) - f(theta + 2 * step) + f(theta - 2 * step)) / (12 * h))
    return np.column_stack(out)


def estimate(method, estimand, d, weighted=False, clustered=False):
    y, w = d["y"].to_numpy(float), d["w"].to_numpy(float)
    x = np.column_stack([np.ones(len(d)), d["x1"], d["x2"]])
    s = d["weight"].to_numpy(float) if weighted else np.ones(len(d))
    steps = 6 if (method, estimand) == ("entropy", "ate") else 3
    mean = lambda theta: moments(method, estimand, theta, y, w, x, s).mean(0)
    theta = np.zeros(steps + 2)
    for _ in range(5):
        theta = root(mean, theta, tol=1e-15).x
    assert abs(mean(theta)).max() < 1e-12, (method, estimand, mean(theta))
    g = moments(method, estimand, theta, y, w, x, s)
    if clustered:
        g = np.array([g[d["village"] == v].sum(0) for v in np.unique(d["village"])])
    bread = np.linalg.inv(jacobian(lambda t: len(y) * mean(t), theta))
    v = bread @ g.T @ g @ bread.T
    return [theta[-2], theta[-1], v[-2, -2], v[-2, -1], v[-1, -1]]


def balance(d):
    """Of x1, with the weights of the ATE by a logit: differences, variance ratios, distances, effective rows."""
    x = sm.add_constant(d[["x1", "x2"]])
    e = np.asarray(sm.Logit(d["w"], x).fit(disp=0, tol=1e-14).predict())
    w, v = d["w"].to_numpy(), d["x1"].to_numpy()
    ipw = np.where(w == 1, 1 / e, 1 / (1 - e))

    def spread(arm, weights):
        u, q = v[w == arm], weights[w == arm]
        m = np.average(u, weights=q)
        return m, (q * (u - m) ** 2).sum() / (q.sum() - (q**2).sum() / q.sum())

    ones = np.ones(len(d))
    scale = np.sqrt((spread(1, ones)[1] + spread(0, ones)[1]) / 2)
    out = []
    for weights in (ones, ipw):
        (m1, v1), (m0, v0) = spread(1, weights), spread(0, weights)
        f = lambda arm: np.array([weights[(w == arm) & (v <= t)].sum() for t in v]) / weights[w == arm].sum()
        out.append([(m1 - m0) / scale, v1 / v0, abs(f(1) - f(0)).max()])
    assert np.isclose(out[0][2], ks_2samp(v[w == 1], v[w == 0]).statistic)
    effective = [ipw[w == a].sum() ** 2 / (ipw[w == a] ** 2).sum() for a in (0, 1)]
    return dict(before=out[0], after=out[1], effective=effective)


def main():
    d = generated("causal")
    values = {"statsmodels": by_statsmodels(d), "moments": {}, "weighted_clustered": {}, "balance": balance(d)}
    for method in ("logit", "cbps", "entropy"):
        for estimand in ("ate", "att", "atc") + (() if method == "entropy" else ("ato",)):
            name = f"{method}_{estimand}"
            values["moments"][name] = estimate(method, estimand, d)
            values["weighted_clustered"][name] = estimate(method, estimand, d, True, True)
    save(
        "weighting",
        source=software("statsmodels", "scipy", "numpy", "pandas"),
        data=["tests/reference/causal.csv"],
        tolerance=1e-9,
        note="Covariates x1 and x2. statsmodels: effect and standard error. moments: means of treated and untreated, their variances and covariance (v11, v10, v00). balance: of x1.",
        values=values,
    )


if __name__ == "__main__":
    main()
