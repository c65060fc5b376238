"""adoption.csv and adoption.json: discrete-time hazards of adoption, without frailty and with normal or gamma frailty.

Without frailty it is statsmodels' complementary log-log regression of person-periods; with frailty the likelihoods are written down here
(Meyer 1990; Jenkins 1995): normal frailty by 120 Gauss-Hermite nodes, gamma frailty in closed form. Derivatives by fourth-order
differences as in participation.py."""

import numpy as np
import pandas as pd
import statsmodels.api as sm
from numpy.polynomial.hermite_e import hermegauss

from common import REFERENCE, generated, save, software
from participation import fit

PERIODS = 5


def make_data(n=900):
    rng = np.random.default_rng(20261123)
    ability, own = rng.normal(size=(2, n))
    tool = rng.integers(0, 2, n)
    base = np.array([-1.6, -1.2, -1.3, -1.0, -0.9])
    u = rng.random((n, PERIODS))
    hazard = 1 - np.exp(-np.exp(base + (0.9 * ability + 0.7 * tool + own)[:, None]))
    event = u < hazard
    last = rng.integers(2, PERIODS + 1, n)
    first = np.where(event.any(1), event.argmax(1) + 1, PERIODS + 1)
    columns = dict(ability=ability, tool=tool, time=np.minimum(first, last), adopted=(first <= last).astype(int))
    pd.DataFrame(columns).round(6).to_csv(REFERENCE / "adoption.csv", index=False)


def indices(d, t):
    """The index of each customer in each period, and whether the customer was at risk and adopted then."""
    period = np.arange(1, PERIODS + 1)
    at_risk = period[None, :] <= d.time.to_numpy()[:, None]
    event = (period[None, :] == d.time.to_numpy()[:, None]) & (d.adopted.to_numpy()[:, None] == 1)
    return t[:PERIODS] + (d[["ability", "tool"]].to_numpy(float) @ t[PERIODS : PERIODS + 2])[:, None], at_risk, event


def ln_period(index, at_risk, event):
    rate = np.exp(index)
    return np.where(at_risk, np.where(event, np.log(-np.expm1(-rate)), -rate), 0.0)


def none(d):
    """By statsmodels; the observed information by differences of the likelihood."""
    names = [f"period[{k + 1}]" for k in range(PERIODS)] + ["ability", "tool"]
    found = fit(lambda t: ln_period(*indices(d, t)).sum(1), [-1.5] * PERIODS + [0.6, 0.5], names)
    long = d.loc[d.index.repeat(d.time)].reset_index(names="customer")
    long["period"] = long.groupby("customer").cumcount() + 1
    y = ((long.period == long.time) & (long.adopted == 1)).astype(float)
    x = np.column_stack([(long.period == k + 1).astype(float) for k in range(PERIODS)] + [long.ability, long.tool])
    theirs = sm.GLM(y, x, family=sm.families.Binomial(sm.families.links.CLogLog())).fit(tol=1e-14, maxiter=200)
    assert np.max(np.abs(theirs.params - found["estimates"])) < 1e-8
    return dict(found, estimates=theirs.params.to_numpy(), log_likelihood=theirs.llf)


def normal(d, nodes=120):
    u, w = hermegauss(nodes)
    w = w / w.sum()

    def rows(t):
        index, at_risk, event = indices(d, t)
        each = ln_period(index[:, :, None] + np.exp(t[-1]) * u, at_risk[:, :, None], event[:, :, None]).sum(1)
        top = each.max(1, keepdims=True)
        return top[:, 0] + np.log(np.exp(each - top) @ w)

    names = [f"period[{k + 1}]" for k in range(PERIODS)] + ["ability", "tool", "ln(frailty s.d.)"]
    return fit(rows, [-1.6, -1.2, -1.3, -1.0, -0.9, 0.9, 0.7, 0.0], names)


def gamma(d):
    def rows(t):
        index, at_risk, event = indices(d, t)
        rate = np.where(at_risk, np.exp(index), 0.0)
        upto = rate.sum(1)
        before = upto - np.where(event, rate, 0.0).sum(1)
        theta = np.exp(t[-1])
        survival = lambda h: (1 + theta * h) ** (-1 / theta)
        return np.log(np.where(d.adopted.to_numpy() == 1, survival(before) - survival(upto), survival(upto)))

    names = [f"period[{k + 1}]" for k in range(PERIODS)] + ["ability", "tool", "ln(frailty variance)"]
    return fit(rows, [-1.4, -1.0, -1.1, -0.8, -0.7, 0.9, 0.7, -0.3], names)


make_data()
d = generated("adoption")
values = dict(none=none(d), normal=normal(d), gamma=gamma(d))
for name, value in values.items():
    print(name, dict(zip(value["names"], np.round(value["estimates"], 4))), np.round(np.sqrt(np.diag(value["classical"])), 3))
save(
    "adoption",
    source=software("numpy", "scipy", "statsmodels") + "; frailty written down from the papers, see the script",
    data=["tests/reference/adoption.csv"],
    tolerance=1e-6,
    note="classical: inverse of the observed information; hc0: sandwich without correction. Without frailty the estimates are statsmodels'.",
    values=values,
)
