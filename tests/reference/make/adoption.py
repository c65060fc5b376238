"""adoption.csv and adoption.json: discrete-time hazards of adoption, without frailty and with normal or gamma frailty.

Without frailty it is statsmodels' complementary log-log regression of person-periods; with frailty the likelihoods are written down here
(Meyer 1990; Jenkins 1995): normal frailty by 200 Gauss-Hermite nodes (one draw a spell, or one a customer of two spells), gamma frailty in closed form. Scores are complex steps, Hessians
fourth-order differences of them, and Newton's method ends at a decrement of 1e-16."""

import numpy as np
import pandas as pd
import statsmodels.api as sm
from numpy.polynomial.hermite_e import hermegauss
from scipy.optimize import minimize

from common import REFERENCE, generated, save, software

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
    # Spells with neighbouring frailties pass for two spells of one customer.
    columns["customer"] = own.argsort().argsort() // 2
    pd.DataFrame(columns).round(6).to_csv(REFERENCE / "adoption.csv", index=False)


class Cells:
    """The periods in which customers were at risk, one after the other."""

    def __init__(self, d):
        self.last = d.time.to_numpy()
        self.adopted = d.adopted.to_numpy() == 1
        self.row = np.repeat(np.arange(len(d)), self.last)
        self.start = np.concatenate([[0], np.cumsum(self.last)[:-1]])
        self.period = np.arange(len(self.row)) - self.start[self.row]
        self.event = self.adopted[self.row] & (self.period == self.last[self.row] - 1)
        self.x = d[["ability", "tool"]].to_numpy(float)[self.row]

    def index(self, t):
        return t[:PERIODS][self.period] + self.x @ t[PERIODS : PERIODS + 2]

    def sum(self, values):
        return np.add.reduceat(values, self.start, axis=0)


def scores(rows, t):
    out = []
    for j in range(len(t)):
        moved = t.astype(complex)
        moved[j] += 1e-30j
        out.append(rows(moved).imag / 1e-30)
    return np.array(out).T


def fit(rows, start, names):
    t = minimize(lambda t: (-rows(t).sum(), -scores(rows, t).sum(0)), start, jac=True, method="L-BFGS-B").x

    def hessian(t):
        out = []
        for j in range(len(t)):
            h = np.zeros(len(t))
            h[j] = 1e-3
            at = lambda times: scores(rows, t + times * h).sum(0)
            out.append((8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h[j]))
        return (np.array(out) + np.array(out).T) / 2

    for _ in range(30):
        gradient = scores(rows, t).sum(0)
        step = np.linalg.solve(-hessian(t), gradient)
        t = t + step
        if abs(step @ gradient) < 1e-16:
            break
    else:
        raise SystemExit("no convergence")
    bread = np.linalg.inv(-hessian(t))
    s = scores(rows, t)
    return dict(names=names, estimates=t, log_likelihood=rows(t).sum(), classical=bread, hc0=bread @ (s.T @ s) @ bread)


def ln_cells(c, index):
    """ln of the probability of each cell; the last axes of `index` may be nodes."""
    rate = np.exp(index)
    out = -rate
    out[c.event] = np.log(-np.expm1(-rate[c.event]))
    return out


NAMES = [f"period[{k + 1}]" for k in range(PERIODS)] + ["ability", "tool"]


def none(d):
    """By statsmodels; the observed information by differences of the likelihood."""
    c = Cells(d)
    found = fit(lambda t: c.sum(ln_cells(c, c.index(t))), [-1.5] * PERIODS + [0.6, 0.5], NAMES)
    x = np.column_stack([(c.period == k).astype(float) for k in range(PERIODS)] + [c.x])
    theirs = sm.GLM(c.event.astype(float), x, family=sm.families.Binomial(sm.families.links.CLogLog())).fit(tol=1e-14, maxiter=200)
    assert np.max(np.abs(theirs.params - found["estimates"])) < 1e-8
    return dict(found, estimates=theirs.params, log_likelihood=theirs.llf)


def normal(d, nodes=200, customer=None):
    """Normal frailty, one a spell or one a customer."""
    c = Cells(d)
    customer = np.arange(len(d)) if customer is None else customer.to_numpy()
    order = np.argsort(customer, kind="stable")
    start = np.flatnonzero(np.diff(customer[order], prepend=-1))
    u, w = hermegauss(nodes)
    keep = w > 1e-40
    u, w = u[keep], w[keep] / w.sum()

    def rows(t):
        spells = c.sum(ln_cells(c, c.index(t)[:, None] + np.exp(t[-1]) * u))
        each = np.add.reduceat(spells[order], start, axis=0)
        top = each.real.max(1, keepdims=True)
        return top[:, 0] + np.log(np.exp(each - top) @ w)

    return fit(rows, [-2.3, -1.3, -1.1, -0.6, -0.3, 1.5, 1.3, 0.5], NAMES + ["ln(frailty s.d.)"])


def gamma(d):
    c = Cells(d)

    def rows(t):
        rate = np.exp(c.index(t))
        theta = np.exp(t[-1])
        upto, before = c.sum(rate), c.sum(np.where(c.event, 0, rate))
        survival = lambda h: (1 + theta * h) ** (-1 / theta)
        return np.log(np.where(c.adopted, survival(before) - survival(upto), survival(upto)))

    return fit(rows, [-1.4, -1.0, -1.1, -0.8, -0.7, 1.0, 0.8, 0.0], NAMES + ["ln(frailty variance)"])


make_data()
d = generated("adoption")
values = dict(none=none(d), normal=normal(d), gamma=gamma(d), repeated=normal(d, customer=d.customer))
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
