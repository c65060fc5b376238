"""poisson_effects.json: Poisson regression with absorbed effects by pyfixest, checked against R's glm with dummies (poisson_effects.R)."""

import numpy as np
import pandas as pd
import pyfixest as pf

from common import REFERENCE, names, save, software

rng = np.random.default_rng(31)
n = 600
unit, period = rng.integers(0, 40, n), rng.integers(0, 8, n)
x = np.round(rng.normal(size=n) + 0.3 * (unit % 5), 4)
z = np.round(rng.uniform(size=n), 4)
mu = np.exp(-0.6 + 0.4 * x - 0.5 * z + 0.6 * rng.normal(size=40)[unit] + 0.2 * period / 8)
y = rng.poisson(mu * rng.gamma(2, 0.5, n))
y[unit == 7] = 0  # a level of zeros only
frame = pd.DataFrame(dict(unit=unit, period=period, x=x, z=z, visits=y))
frame.to_csv(REFERENCE / "visits.csv", index=False)


def record(formula, effects):
    out = dict(data="tests/reference/visits.csv", formula=f"{formula} | {effects}", names=["x", "z"], covariance={})
    for label, vcov in [("classical", "iid"), ("HC1", "hetero"), ("cluster", {"CRV1": "unit"})]:
        fit = pf.fepois(f"{formula} | {effects}", frame, vcov=vcov, fixef_tol=1e-12, iwls_tol=1e-13, iwls_maxiter=200)
        out["estimates"] = fit.coef().loc[["x", "z"]]
        out["n"] = int(fit._N)
        out["covariance"][label] = fit._vcov
    return out


save(
    "poisson_effects", source=software("pyfixest"), data="tests/reference/visits.csv", tolerance=1e-6,
    note="Rows of levels with zeros only and singletons are dropped. pyfixest stops at its own tolerance, hence 1e-6.",
    values=dict(one=record("visits ~ x + z", "unit"), two=record("visits ~ x + z", "unit + period")),
)
