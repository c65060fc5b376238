"""meta_learners.csv, three_arms.csv and meta_learners.json: meta-learners with least squares as their last regression, by EconML and causalml.

Nuisances are columns of the data (`m0`, `m1`: mean outcomes, `e`: propensity, `ell`, `em`: means of the outcome and of the continuous treatment), given to
EconML as models that return a column: what is compared is the recipe, not the cross-fitting. Of the three
arms `a` of three_arms.csv `m0` to `m2` are mean outcomes and `e1`, `e2` propensities. causalml fits the effects of its DR-learner on each of three folds and
averages; the folds of its seed are part of the fixture. `ell` is `e m1 + (1 - e) m0` in full precision."""

import numpy as np
import pandas as pd
from causalml.inference.meta import BaseDRRegressor, BaseRRegressor, BaseSRegressor, BaseTRegressor, BaseXRegressor
from econml.dml import NonParamDML
from econml.dr import DRLearner
from econml.metalearners import SLearner, TLearner, XLearner
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold
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


def make_arms(n=300):
    rng = np.random.default_rng(20261124)
    x1, x2 = rng.normal(size=(2, n))
    odds = np.exp(np.column_stack([0 * x1, 0.5 * x1 - 0.2, 0.4 * x2]))
    e = (odds / odds.sum(1, keepdims=True)).round(6)
    a = (rng.random(n)[:, None] > np.cumsum(e, axis=1)[:, :2]).sum(1)
    y = 1 + x1 + np.array([0 * x1, 0.5 + x2, x1 - 0.5 * x2])[a, np.arange(n)] + rng.normal(size=n)
    means = dict(m0=0.9 + 0.8 * x1, m1=1.3 + 1.1 * x1 + 0.9 * x2, m2=1.1 + 1.9 * x1 - 0.4 * x2)
    pd.DataFrame(dict(y=y, a=a, x1=x1, x2=x2, **means, e1=e[:, 1], e2=e[:, 2])).round(6).to_csv(REFERENCE / "three_arms.csv", index=False)


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


class ByArms(Column):
    """The column of one of three arms, whose two indicators are the last columns."""

    def predict(self, X):
        arm = (X[:, -2:] > 0.5) @ [1, 2]
        return X[np.arange(len(X)), self.at + arm]


class Chances(ClassifierMixin, BaseEstimator):
    """Probabilities of arms 1 and 2 from two columns; arm 0 has the rest."""

    def __init__(self, at=0):
        self.at = at

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.array([0, 1, 2])
        return self

    def predict_proba(self, X):
        e = X[:, self.at : self.at + 2]
        return np.column_stack([1 - e.sum(1), e])

    def predict(self, X):
        return self.predict_proba(X).argmax(1)


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


def by_causalml(f):
    """S, T, X, R and DR. Models see features and nuisances in one matrix; the last regression takes the features."""
    X, all_columns = f[["x1", "x2"]].to_numpy(), f[["x1", "x2", "m0", "m1"]].to_numpy()
    ell = (f.e * f.m1 + (1 - f.e) * f.m0).to_numpy()
    w, y, e = f.w.to_numpy(), f.y.to_numpy(), f.e.to_numpy()
    line = lambda: make_pipeline(FunctionTransformer(lambda X: X[:, :2]), LinearRegression())

    class Weighted(LinearRegression):
        def fit(self, X, y, sample_weight=None):
            return super().fit(X[:, :2], y, sample_weight)

        def predict(self, X):
            return super().predict(X[:, :2])

    out = {}
    s = BaseSRegressor(LinearRegression(), control_name=0)
    s.fit(X, w, y)
    out["S"] = np.ravel(s.predict(X))
    t = BaseTRegressor(LinearRegression(), control_name=0)
    t.fit(X, w, y)
    out["T"] = np.ravel(t.predict(X))
    share = np.full(len(w), w.mean())
    x = BaseXRegressor(
        control_outcome_learner=Column(2), treatment_outcome_learner=Column(3), control_effect_learner=line(), treatment_effect_learner=line(), control_name=0
    )
    x.fit(all_columns, w, y, p=share)
    out["X"] = np.ravel(x.predict(all_columns, p=share))
    r = BaseRRegressor(outcome_learner=Column(2), effect_learner=Weighted(), control_name=0)
    with_ell = np.column_stack([X, ell])
    r.fit(with_ell, w, y, p=e, verbose=False)
    out["R"] = np.ravel(r.predict(with_ell))
    dr = BaseDRRegressor(control_outcome_learner=Column(2), treatment_outcome_learner=Column(3), treatment_effect_learner=line(), control_name=0)
    dr.fit(all_columns, w, y, p=e, seed=1)
    out["DR"] = np.ravel(dr.predict(all_columns))
    return {name: values[:20] for name, values in out.items()}


def folds_of_causalml(n):
    fold = np.zeros(n, dtype=int)
    for k, (_, inside) in enumerate(KFold(n_splits=3, shuffle=True, random_state=1).split(np.zeros(n))):
        fold[inside] = k
    return fold


def three_arms(f):
    X = f[["x1", "x2"]].to_numpy()
    given = f[["m0", "m1", "m2", "e1", "e2"]].to_numpy()
    model = DRLearner(model_propensity=Chances(5), model_regression=ByArms(2), model_final=LinearRegression(), min_propensity=1e-9, cv=2)
    model.fit(f.y, f.a, X=X, W=given)
    return {str(k): np.ravel(model.effect(X, T0=0, T1=k))[:20] for k in (1, 2)}


if not (REFERENCE / "meta_learners.csv").exists():
    make_data()
if not (REFERENCE / "three_arms.csv").exists():
    make_arms()
frame = generated("meta_learners")
save(
    "meta_learners",
    source=software("econml", "causalml", "scikit-learn", "numpy", "pandas"),
    data=["tests/reference/meta_learners.csv", "tests/reference/three_arms.csv"],
    tolerance=1e-8,
    note="Effects of w on y (and of d on z, continuous) given x1 and x2, of the first 20 rows; the last regression is least squares with a constant. Of a on y (three arms) the DR-learner; causalml beside EconML, with the fold of each row in its DR-learner.",
    values={name: values[:20] for name, values in effects(frame).items()}
    | {"causalml": by_causalml(frame), "folds": folds_of_causalml(len(frame)), "three arms": three_arms(generated("three_arms"))},
)
