"""causal.csv and causal.json: average effects on given nuisances, by DoubleML and from their formulas.

The nuisances `m0`, `m1` (mean outcomes) and `e` (propensity) are columns of the data: wrong on purpose, since agreement must not depend on their being
good. DoubleML gets them as external predictions; its variances are means of squared influence functions over n, ours have n/(n - 1) beside. What
DoubleML has not (weights, clusters, effects of three arms) is computed here from the influence functions."""

import doubleml as dml
import numpy as np
import pandas as pd
from doubleml.utils import DMLDummyClassifier, DMLDummyRegressor

from common import REFERENCE, generated, save, software


def make_data(n=600):
    rng = np.random.default_rng(20261122)
    x1, x2 = rng.normal(size=(2, n))
    village = rng.integers(0, 40, n)
    shock = rng.normal(size=40)[village]
    e = 1 / (1 + np.exp(-0.6 * x1 + 0.3 * x2))
    w = (rng.random(n) < e).astype(int)
    y = 1 + x1 + w * (0.5 + x2) + shock + rng.normal(size=n)
    columns = dict(
        y=y, w=w, x1=x1, x2=x2, village=village, weight=rng.uniform(0.5, 2, n),
        segment=np.where(x1 > 0.4, "high", "low"),
        m0=0.8 + 0.9 * x1, m1=1.6 + 0.9 * x1 + 0.8 * x2, e=np.clip(e + 0.05 * np.sin(3 * x1), 0.05, 0.95),
    )
    p = np.exp(np.column_stack([np.zeros(n), 0.4 * x1, -0.5 * x2]))
    p /= p.sum(1, keepdims=True)
    arm = (rng.random(n)[:, None] > p.cumsum(1)).sum(1)
    columns |= dict(
        arm=np.array(["a", "b", "c"])[arm], outcome=x1 + 0.4 * (arm == 1) + (arm == 2) * (1 - x2) + rng.normal(size=n),
        p_a=p[:, 0], p_b=p[:, 1], q_a=0.9 * x1, q_b=0.9 * x1 + 0.5, q_c=x1 + 0.8 - 0.9 * x2,
    )
    pd.DataFrame(columns).round(6).to_csv(REFERENCE / "causal.csv", index=False)


def by_doubleml(d):
    data = dml.DoubleMLData(d[["y", "w", "x1", "x2"]], "y", "w")
    column = lambda values: np.asarray(values, float).reshape(-1, 1)
    out = {}
    for score, name in [("ATE", "ate"), ("ATTE", "att")]:
        model = dml.DoubleMLIRM(data, DMLDummyRegressor(), DMLDummyClassifier(), score=score, normalize_ipw=False)
        model.fit(external_predictions={"w": {"ml_g0": column(d.m0), "ml_g1": column(d.m1), "ml_m": column(d.e)}})
        out[name] = [model.coef[0], model.se[0]]
    given = {"ml_g0": column(d.m0), "ml_g1": column(d.m1), "ml_m": column(d.e)}
    for score, name in [("ATE", "ate_normalized"), ("ATTE", "att_normalized")]:
        model = dml.DoubleMLIRM(data, DMLDummyRegressor(), DMLDummyClassifier(), score=score, normalize_ipw=True)
        model.fit(external_predictions={"w": given})
        out[name] = [model.coef[0], model.se[0]]
    for name, normalized in [("potential_outcomes", False), ("potential_outcomes_normalized", True)]:
        out[name] = []
        for arm in "abc":
            chance = {"a": d.p_a, "b": d.p_b, "c": 1 - d.p_a - d.p_b}[arm]
            coded = d.assign(code=d.arm.map({"a": 0, "b": 1, "c": 2}))
            data3 = dml.DoubleMLData(coded[["outcome", "code", "x1", "x2"]], "outcome", "code")
            model = dml.DoubleMLAPO(data3, DMLDummyRegressor(), DMLDummyClassifier(), treatment_level="abc".index(arm), normalize_ipw=normalized)
            mean = column(d["q_" + arm])
            model.fit(external_predictions={"code": {"ml_g_d_lvl0": mean, "ml_g_d_lvl1": mean, "ml_m": column(chance)}})
            out[name] += [model.coef[0], model.se[0]]
    model = dml.DoubleMLPLR(data, DMLDummyRegressor(), DMLDummyRegressor())
    mean = d.e * d.m1 + (1 - d.e) * d.m0
    model.fit(external_predictions={"w": {"ml_l": column(mean), "ml_m": column(d.e)}})
    out["overlap"] = [model.coef[0], model.se[0]]
    return out


def mean_of(score, weight, cluster):
    """Weighted mean of scores with its error over clusters, G/(G - 1)."""
    theta = (weight[:, None] * score).sum(0) / weight.sum()
    psi = weight[:, None] * (score - theta) / weight.sum()
    sums = pd.DataFrame(psi).groupby(np.asarray(cluster)).sum().to_numpy()
    g = len(sums)
    return theta, sums.T @ sums * g / (g - 1)


def by_formula(d):
    one = np.ones(len(d))
    own = np.arange(len(d))
    score = (d.m1 - d.m0 + d.w * (d.y - d.m1) / d.e - (1 - d.w) * (d.y - d.m0) / (1 - d.e)).to_numpy()[:, None]
    p = {"a": d.p_a, "b": d.p_b, "c": 1 - d.p_a - d.p_b}
    q = {"a": d.q_a, "b": d.q_b, "c": d.q_c}
    gamma = {k: (q[k] + (d.arm == k) * (d.outcome - q[k]) / p[k]).to_numpy() for k in "abc"}
    arms = np.column_stack([gamma["b"] - gamma["a"], gamma["c"] - gamma["a"]])
    high = (d.segment == "high").to_numpy()
    groups = [mean_of(score[part], one[part], own[part]) for part in (high, ~high)]
    out = {
        "weighted_clustered": mean_of(score, d.weight.to_numpy(), d.village),
        "three_arms": mean_of(arms, one, own),
        "groups": [[g[0][0], g[1][0, 0]] for g in groups],
    }
    x = np.column_stack([one, d.x1, d.x2])
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ x.T @ score[:, 0]
    leverage = np.einsum("ij,jk,ik->i", x, bread, x)
    scaled = x * ((score[:, 0] - x @ beta) / (1 - leverage))[:, None]
    out["projection"] = [beta, np.sqrt(np.diag(bread @ scaled.T @ scaled @ bread))]
    return out


if not (REFERENCE / "causal.csv").exists():
    make_data()
frame = generated("causal")
save(
    "causal",
    source=software("doubleml", "numpy", "pandas"),
    data=["tests/reference/causal.csv"],
    tolerance=1e-9,
    note="Average effects on the nuisances in the data. doubleml: estimate and standard error (without n/(n - 1)) of the ATE and ATTE (IRM), also with normalized inverse propensities, of average potential outcomes of three arms (APO) and of the partially "
    "linear model, whose slope is the effect in the overlap. formula: estimates and covariances from influence functions; projection: least squares of the "
    "score on x1 and x2 with HC3 errors.",
    values={"doubleml": by_doubleml(frame), "formula": by_formula(frame)},
)
