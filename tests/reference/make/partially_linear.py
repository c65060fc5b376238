"""partially_linear.csv and partially_linear.json: the effect per unit of a continuous treatment on given nuisances, by DoubleML.

`ell` and `em` stand for E[Y | X] and E[D | X]: wrong on purpose, since agreement must not depend on their being good. DoubleML's variance is the mean
of squared influence functions over n, ours has n/(n - 1) beside. Weights and clusters, with G/(G - 1), are computed from the influence function."""

import doubleml as dml
import numpy as np
import pandas as pd
from doubleml.utils import DMLDummyRegressor

from common import REFERENCE, generated, save, software


def make_data(n=400):
    rng = np.random.default_rng(20261122)
    x1, x2 = rng.normal(size=(2, n))
    village = rng.integers(0, 30, n)
    d = x1 + rng.gamma(2.0, size=n) + rng.normal(size=30)[village]
    y = 1 + x1 + (0.5 + 0.3 * x2) * d + rng.normal(size=30)[village] + rng.normal(size=n)
    columns = dict(
        y=y, d=d, x1=x1, x2=x2, village=village, weight=rng.uniform(0.5, 2, n),
        ell=2 + 1.6 * x1 + 0.5 * x2, em=1.8 + 0.9 * x1,
    )
    pd.DataFrame(columns).round(6).to_csv(REFERENCE / "partially_linear.csv", index=False)


def by_doubleml(f):
    data = dml.DoubleMLData(f[["y", "d", "x1", "x2"]], "y", "d")
    column = lambda values: np.asarray(values, float).reshape(-1, 1)
    model = dml.DoubleMLPLR(data, DMLDummyRegressor(), DMLDummyRegressor())
    model.fit(external_predictions={"d": {"ml_l": column(f.ell), "ml_m": column(f.em)}})
    return [model.coef[0], model.se[0]]


def clustered(f):
    v, u = f.d - f.em, f.y - f.ell
    below = (f.weight * v * v).sum()
    theta = (f.weight * v * u).sum() / below
    psi = f.weight * v * (u - theta * v) / below
    sums = psi.groupby(f.village).sum()
    g = len(sums)
    return [theta, np.sqrt((sums**2).sum() * g / (g - 1)), g - 1]


if not (REFERENCE / "partially_linear.csv").exists():
    make_data()
frame = generated("partially_linear")
save(
    "partially_linear",
    source=software("doubleml", "numpy", "pandas"),
    data=["tests/reference/partially_linear.csv"],
    tolerance=1e-9,
    note="Effect of d on y on the nuisances in the data. doubleml: estimate and standard error (without n/(n - 1)) of DoubleMLPLR. clustered: estimate, "
    "standard error and degrees of freedom with weights and clusters, from the influence function.",
    values={"doubleml": by_doubleml(frame), "clustered": clustered(frame)},
)
