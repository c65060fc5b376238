"""prediction_powered.json: means, linear regressions and logits with predicted labels, by ppi-python; the rows are drawn here and stand in the fixture."""

import numpy as np
from ppi_py import ppi_quantile_ci, ppi_quantile_pointestimate
from ppi_py import ppi_logistic_ci, ppi_logistic_pointestimate, ppi_mean_pointestimate, ppi_ols_ci, ppi_ols_pointestimate
from ppi_py.ppi import _calc_lam_glm, _logistic_get_stats, _ols_get_stats
from scipy.stats import norm

from common import save, software


def pair(point, interval):
    low, high = interval
    return [np.ravel(point), np.ravel((high - low) / 2 / norm.ppf(0.95))]


def tuned(stats, point, *data):
    """The tuned weight at the estimate with weight one, as ppi_*_pointestimate finds it; ppi_*_ci finds another, at the tuned estimate."""
    grads, grads_hat, others, inverse = stats(point, *data)
    return _calc_lam_glm(grads, grads_hat, others, inverse, clip=True)


def logit(x, y, f, xu, fu, lam):
    options = {"ftol": 1e-15, "gtol": 1e-12, "maxiter": 10000}
    return pair(
        ppi_logistic_pointestimate(x, y, f, xu, fu, lam=lam, optimizer_options=options),
        ppi_logistic_ci(x, y, f, xu, fu, lam=lam, optimizer_options=options),
    )


if __name__ == "__main__":
    rng = np.random.default_rng(2)
    n, total = 120, 500
    x = rng.standard_normal(total).round(4)
    y = (0.5 + x + rng.standard_normal(total)).round(4)
    f = (0.2 + 0.8 * y + 0.5 * rng.standard_normal(total)).round(4)
    p = 1 / (1 + np.exp(-(0.3 + 0.8 * x)))
    b = (rng.uniform(size=total) < p).astype(float)
    c = np.where(rng.uniform(size=total) < 0.85, b, 1 - b)
    design = np.column_stack([np.ones(total), x])
    one = np.ones((total, 1))
    cut = lambda v: (v[:n], v[n:])
    (xl, xu), (ol, ou) = cut(design), cut(one)
    values = {"x": x, "y": y, "f": f, "b": b, "c": c, "labelled": n}
    data = {"mean": (ol, y[:n], f[:n], ou, f[n:]), "ols": (xl, y[:n], f[:n], xu, f[n:]), "logit": (xl, b[:n], c[:n], xu, c[n:])}
    options = {"ftol": 1e-15, "gtol": 1e-12, "maxiter": 10000}
    for name in ["tuned", "full"]:
        values[name] = {}
        for kind, d in data.items():
            lam = 1
            if name == "tuned" and kind == "logit":
                lam = tuned(_logistic_get_stats, ppi_logistic_pointestimate(*d, lam=1, optimizer_options=options), *d)
            elif name == "tuned":
                lam = tuned(_ols_get_stats, ppi_ols_pointestimate(*d, lam=1), *d)
            if kind == "logit":
                values[name][kind] = logit(*d, lam)
            else:
                values[name][kind] = pair(ppi_ols_pointestimate(*d, lam=lam), ppi_ols_ci(*d, lam=lam))
            values[name][kind + "_lambda"] = lam
    # On the values seen: estimate, lower, upper at 95 %.
    values["quantiles"] = []
    for q in [0.1, 0.5, 0.75]:
        point = ppi_quantile_pointestimate(y[:n], f[:n], f[n:], q, exact_grid=True)
        values["quantiles"].append([q, point, *ppi_quantile_ci(y[:n], f[:n], f[n:], q, alpha=0.05, exact_grid=True)])
    assert np.allclose(values["tuned"]["mean"][0], ppi_mean_pointestimate(y[:n], f[:n], f[n:]), rtol=1e-12)
    assert np.allclose(values["tuned"]["ols"][0], ppi_ols_pointestimate(*data["ols"]), rtol=1e-12)
    save(
        "prediction_powered",
        values=values,
        source=software("ppi-python", "numpy", "scipy"),
        data=["in the fixture"],
        tolerance=1e-9,
        note="Estimates, then standard errors from intervals at 90 %; the first `labelled` rows have labels. The logit's optimiser stops at 1e-6 or better.",
    )
