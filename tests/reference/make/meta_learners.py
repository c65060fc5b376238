"""meta_learners.csv and meta_learners.json: meta-learners with least squares as their last regression, by EconML.

Nuisances are columns of the data (`m0`, `m1`: mean outcomes, `e`: propensity, `ell`, `em`: means of the outcome and of the continuous treatment), given to
EconML as models that return a column: what is compared is the recipe, not the cross-fitting. `ell` is `e m1 + (1 - e) m0` in full precision."""

import numpy as np
import pandas as pd
from econml.dml import NonParamDML
from econml.dr import DRLearner
from econml.metalearners import SLearner, TLearner, XLearner
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from common import REFERENCE, generated, save, software


def make_data(n=300):
    rng = np.random.default_rng(20261123)
    x1, x2 = rng.normal(size=(2, n))
    e = 1 / (1 + np.exp(-0.6 * x1 + 0.3 * x2))
    w = (rng.random(n) < e).astype(int)
    d = x1 + rng.gamma(2.0, size=n)
    columns = dict(
        y=1 + x1 + w * (0.5 + x2) + rng.normal(size=n), w=w, z=x1 + (0.5 + 0.3 * x2) * d + rng.normal(size=n), d=d, x1=x1, x2=x2,
        m0=0.8 + 0.9 * x1, m1=1.6 + 0.9 * x1 + 0.8 * x2, e=np.clip(e + 0.05 * np.sin(3 * x1), 0.05, 0.95),
        zeta=1 + 1.6 * x1 + 0.5 * x2, em=1.8 + 0.9 * x1,
    )
    pd.DataFrame(columns).round(6).to_csv(REFERENCE / "meta_learners.csv", index=False)


class Column(RegressorMixin, BaseEstimator):
    def __init__(self, at=0):
        self.at = at

    def fit(self, X, y, sample_weight=None):
        return self

    def predict(self, X):
        return X[:, self.at]


class ByArm(Column):
    """The column of the arm, whose indicator is the last column."""

    def predict(self, X):
        return np.where(X[:, -1] > 0.5, X[:, self.at + 1], X[:, self.at])


class Chance(ClassifierMixin, BaseEstimator):
    def __init__(self, at=0):
        self.at = at

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X):
        return np.column_stack([1 - X[:, self.at], X[:, self.at]])

    def predict(self, X):
        return (X[:, self.at] > 0.5).astype(int)


def effects(f):
    X = f[["x1", "x2"]].to_numpy()
    given = np.column_stack([f.m0, f.m1, f.e, f.e * f.m1 + (1 - f.e) * f.m0])
    line = LinearRegression
    first_two = lambda: make_pipeline(FunctionTransformer(lambda X: X[:, :2]), line())
    all_columns = np.hstack([X, given])
    of = lambda model, X: np.ravel(model.effect(X))
    s = SLearner(overall_model=line()).fit(f.y, f.w, X=X)
    t = TLearner(models=line()).fit(f.y, f.w, X=X)
    x = XLearner(models=[Column(2), Column(3)], cate_models=first_two(), propensity_model=DummyClassifier(strategy="prior"))
    x.fit(f.y, f.w, X=all_columns)
    # Nuisance models see X, W and, for the outcome, the arm's indicator.
    dr = DRLearner(model_propensity=Chance(4), model_regression=ByArm(2), model_final=line(), min_propensity=1e-9, cv=2)
    dr.fit(f.y, f.w, X=X, W=given)
    r = NonParamDML(model_y=Column(5), model_t=Chance(4), model_final=line(), discrete_treatment=True, cv=2)
    r.fit(f.y, f.w, X=X, W=given)
    per_unit = NonParamDML(model_y=Column(2), model_t=Column(3), model_final=line(), cv=2)
    per_unit.fit(f.z, f.d, X=X, W=f[["zeta", "em"]].to_numpy())
    return {
        "S": of(s, X), "T": of(t, X), "X": of(x, all_columns), "DR": of(dr, X), "R": of(r, X), "continuous": of(per_unit, X),
    }


if not (REFERENCE / "meta_learners.csv").exists():
    make_data()
frame = generated("meta_learners")
save(
    "meta_learners",
    source=software("econml", "scikit-learn", "numpy", "pandas"),
    data=["tests/reference/meta_learners.csv"],
    tolerance=1e-8,
    note="Effects of w on y (and of d on z, continuous) given x1 and x2, of the first 20 rows; the last regression is least squares with a constant.",
    values={name: values[:20] for name, values in effects(frame).items()},
)
