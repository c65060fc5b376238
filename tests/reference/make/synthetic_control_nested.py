"""synthetic_control_nested.json: importance of predictors by the nested criterion and by cross-validation on Proposition 99, from their definitions.

The outer minimum is found by scipy's differential evolution over logarithms of importance, each at least 1e-8 of the largest; weights by scipy's non-negative least squares as in
synthetic_control.py. Nothing is shared with our search. Predictors are those of Abadie, Diamond & Hainmueller (2010), whose printed weights are in `published`; their means stand in
proposition_99_predictors.csv."""

import numpy as np
import pandas as pd
from scipy.optimize import differential_evolution, minimize

from common import REFERENCE, dataset, save, software
from synthetic_control import simplex

LEAST = 1e-8
PUBLISHED = {"Colorado": 0.164, "Connecticut": 0.069, "Montana": 0.199, "Nevada": 0.234, "Utah": 0.334}


def weights(v, x, own):
    v = np.sqrt(v)
    return simplex(own * v, x * v)


def nested(trained, final, y, judged):
    """trained, final: predictors by unit, the treated first, standardised; y: outcomes by unit and period."""

    def missed(logs):
        v = np.maximum(np.exp(logs - logs.max()), LEAST)
        w = weights(v, trained[1:], trained[0])
        return np.mean((y[0] - w @ y[1:])[judged] ** 2)

    k = trained.shape[1]
    best = differential_evolution(missed, [(-17.0, 0.0)] * k, seed=99, maxiter=120, popsize=12, tol=1e-12, polish=False)
    best = minimize(missed, best.x, method="Nelder-Mead", options={"maxiter": 6000, "maxfev": 6000, "xatol": 1e-9, "fatol": 1e-14, "adaptive": True})
    v = np.maximum(np.exp(best.x - best.x.max()), LEAST)
    return np.sqrt(best.fun), weights(v, final[1:], final[0])


def standardised(x):
    return ((x - x.mean()) / x.std()).to_numpy()


def main():
    wide = dataset("california_prop99").set_index("Year")
    means = pd.read_csv(REFERENCE / "proposition_99_predictors.csv").set_index("state")
    states = ["California"] + [s for s in wide.columns if s != "California"]
    y = wide[states].T.to_numpy()
    x = means.loc[states]
    lags = x.assign(**{f"packs {t}": wide.loc[t] for t in (1975, 1980, 1988)})
    z = standardised(lags)
    gap, w = nested(z, z, y, slice(0, 19))
    full = {"gap": gap, "weights": w}
    halves = [standardised(x.assign(packs=wide.loc[a:b].mean())) for a, b in ((1970, 1979), (1980, 1988))]
    gap, w = nested(halves[0], halves[1], y, slice(10, 19))
    save(
        "synthetic_control_nested",
        source=software("numpy", "scipy"),
        data=["datasets/california_prop99.csv", "tests/reference/proposition_99_predictors.csv"],
        values={"donors": states[1:], "nested": full, "validated": {"gap": gap, "weights": w}, "published": [PUBLISHED.get(s, 0.0) for s in states[1:]]},
        tolerance=1e-4,
        note="Gaps are root means of squares: before 1989, and from 1980 to 1988 by the weights of the years before.",
    )


if __name__ == "__main__":
    main()
