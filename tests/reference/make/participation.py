"""participation.csv and participation.json: models of willingness to participate.

No package of the reference environment has these likelihoods, so they are written down here from the papers: bivariate normal probabilities by Owen's T
(Owen 1956), derivatives by fourth-order differences, optima by Newton from the simulated truth. Interval regressions are also compared
with survival's survreg (`participation.R`)."""

import numpy as np
import pandas as pd
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import expit, log_ndtr, ndtr, ndtri, owens_t
from scipy.stats import norm

from common import REFERENCE, generated, save, software


def make_data(n=1200):
    rng = np.random.default_rng(20261122)
    ability, load = rng.normal(size=(2, n))
    coupon, arm = rng.integers(0, 2, size=(2, n))
    e = rng.normal(size=(12, n))
    buy = (-0.2 + 0.5 * ability + 0.8 * coupon + e[0] > 0).astype(int)
    participate = (0.2 + 0.7 * ability + 0.5 * e[0] + np.sqrt(0.75) * e[1] > 0).astype(float)
    participate[buy == 0] = np.nan
    both = ((0.8 + 0.9 * ability + e[2] > 0) & (0.6 - 1.1 * load + e[3] > 0)).astype(int)
    wtp = 6 + 2 * ability + 4 * np.log((u := ndtr(e[4])) / (1 - u))
    bid = rng.choice([2.0, 5.0, 8.0, 12.0], n)
    yes = (wtp > bid).astype(int)
    bid2 = np.where(yes == 1, bid + 4, bid / 2)
    yes2 = (wtp > bid2).astype(int)
    some = (wtp > 0).astype(int)
    positive = rng.random(n) > 0.25
    amount = np.where(positive, np.exp(1.6 + 0.4 * ability + 0.7 * e[5]), 0.0)
    accept = (amount > bid).astype(int)
    any_amount = positive.astype(float)
    any_amount[(rng.random(n) < 0.3) & (accept == 0)] = np.nan
    cost = np.clip(np.round((5 - 1.5 * ability + arm + 3 * e[6]) * 2) / 2, 0, 10)
    belief = 0.3 + 0.6 * ability + 0.8 * e[7]
    report = np.round(ndtr(belief) * 10) / 10
    frailty = 0.9 * e[8]
    stages = []
    reached = np.ones(n, bool)
    for k, level in enumerate([0.6, 0.1, -0.3]):
        passed = reached & (level + 0.4 * arm + 0.6 * ability + frailty + e[9 + k] > 0)
        stages.append(np.where(reached, passed.astype(float), np.nan))
        reached = passed
    columns = dict(ability=ability, load=load, coupon=coupon, arm=arm, buy=buy, participate=participate, both=both, bid=bid, yes=yes, bid2=bid2, yes2=yes2, some=some, accept=accept, any=any_amount, cost=cost, report=report, start=stages[0], finish=stages[1], bought=stages[2])
    pd.DataFrame(columns).round(6).to_csv(REFERENCE / "participation.csv", index=False)


def slopes(f, theta, steps):
    """Fourth-order differences, one column a parameter."""
    out = []
    for j, h in enumerate(steps):
        e = np.zeros_like(theta)
        e[j] = h
        out.append((-f(theta + 2 * e) + 8 * f(theta + e) - 8 * f(theta - e) + f(theta - 2 * e)) / (12 * h))
    return np.array(out).T


def fit(rows, theta, names):
    """The maximum of a sum over rows, with both covariances."""
    theta = np.array(theta, float)
    steps = np.full(len(theta), 2e-3)
    score = lambda t: slopes(rows, t, steps)
    for _ in range(60):
        h = slopes(lambda t: score(t).sum(0), theta, steps)
        step = np.linalg.solve(h, -score(theta).sum(0))
        step *= min(1, 0.5 / np.max(np.abs(step)))
        theta = theta + step
        if np.max(np.abs(step)) < 1e-10:
            break
    else:
        raise RuntimeError("no convergence")
    bread = np.linalg.inv(-slopes(lambda t: score(t).sum(0), theta, steps))
    s = score(theta)
    return dict(names=names, estimates=theta, log_likelihood=rows(theta).sum(), classical=bread, hc0=bread @ (s.T @ s) @ bread)


def both_below(h, k, rho):
    """Φ₂ by Owen's T."""
    r = np.sqrt(1 - rho**2)
    same = (h * k > 0) | ((h * k == 0) & (h + k >= 0))
    return 0.5 * (ndtr(h) + ndtr(k)) - owens_t(h, (k - rho * h) / (h * r)) - owens_t(k, (h - rho * k) / (k * r)) - np.where(same, 0, 0.5)


def design(d, *columns):
    return np.column_stack([np.ones(len(d))] + [d[c] for c in columns])


def buy_then_participate(d):
    x, w = design(d, "ability", "coupon"), design(d, "ability")
    b, p = d.buy.to_numpy(), d.participate.to_numpy()

    def rows(t):
        zb, zp, rho = x @ t[:3], w @ t[3:5], np.tanh(t[5])
        q = np.where(p == 1, 1.0, -1.0)
        return np.where(b == 0, log_ndtr(-zb), np.log(both_below(zb, q * zp, q * rho)))

    names = ["buy.(Intercept)", "buy.ability", "buy.coupon", "participate.(Intercept)", "participate.ability", "atanh_rho"]
    return fit(rows, [-0.2, 0.5, 0.8, 0.2, 0.7, 0.5], names)


def mutual(d, free):
    x, w = design(d, "ability"), design(d, "load")

    def rows(t):
        c, f = x @ t[:2], w @ t[2:4]
        p = both_below(c, f, np.tanh(t[4])) if free else ndtr(c) * ndtr(f)
        return np.where(d.both == 1, np.log(p), np.log1p(-p))

    names = ["customer.(Intercept)", "customer.ability", "firm.(Intercept)", "firm.load"]
    return fit(rows, [0.8, 0.9, 0.6, -1.1] + [0.0] * free, names + ["atanh_rho"] * free)


def double_bounded(d, spike):
    """Logistic; with a spike, zero and below are one answer."""
    x = design(d, "ability")
    low = np.where(d.yes == 1, np.where(d.yes2 == 1, d.bid2, d.bid), np.where(d.yes2 == 1, d.bid2, -np.inf))
    high = np.where(d.yes == 1, np.where(d.yes2 == 1, np.inf, d.bid2), np.where(d.yes2 == 1, d.bid, d.bid2))
    if spike:
        high = np.where(d.some == 0, 0.0, high)
        low = np.where(d.some == 1, np.maximum(low, 0.0), low)

    def rows(t):
        above = lambda bid: np.where(np.isinf(bid), (bid < 0) * 1.0, expit(x @ t[:2] + t[2] * np.where(np.isinf(bid), 0, bid)))
        return np.log(above(low) - above(high))

    return fit(rows, [1.5, 0.5, -0.25], ["(Intercept)", "ability", "bid"])


def log_spike(d):
    """Log-normal amounts, a mass at zero; a third of those who refused were not asked whether it is zero."""
    x, bid = design(d, "ability"), np.log(d.bid.to_numpy())
    asked = d["any"].to_numpy()

    def rows(t):
        p0, above = expit(t[3]), ndtr(x @ t[:2] + t[2] * bid)
        some = np.log(1 - p0) + np.where(d.accept == 1, np.log(above), np.log1p(-above))
        unknown = np.log(p0 + (1 - p0) * (1 - above))
        return np.where(asked == 0, np.log(p0), np.where((asked == 1) | (d.accept == 1), some, unknown))

    return fit(rows, [2.0, 0.5, -1.4, -1.1], ["(Intercept)", "ability", "log(bid)", "spike"])


def interval(x, low, high, theta, names):
    def rows(t):
        eta, sigma = x @ t[:-1], np.exp(t[-1])
        a, b = (low - eta) / sigma, (high - eta) / sigma
        flip = a + b > 0
        a, b = np.where(flip, -b, a), np.where(flip, -a, b)
        return np.log(ndtr(b) - ndtr(a))

    return fit(rows, theta, names)


def bdm(d):
    low = np.where(d.cost == 0, -np.inf, d.cost - 0.25)
    high = np.where(d.cost == 10, np.inf, d.cost + 0.25)
    return interval(design(d, "ability", "arm"), low, high, [5, -1.5, 1, 1], ["(Intercept)", "ability", "arm", "ln_sigma"])


def beliefs(d):
    low, high = ndtri(np.clip(d.report - 0.05, 0, 1)), ndtri(np.clip(d.report + 0.05, 0, 1))
    return interval(design(d, "ability"), low, high, [0.3, 0.6, -0.2], ["(Intercept)", "ability", "ln_sigma"])


def funnel(d, nodes=120):
    u, w = hermegauss(nodes)
    w = w / w.sum()
    y = d[["start", "finish", "bought"]].to_numpy()
    shared = d[["arm", "ability"]].to_numpy(float)

    def rows(t):
        index = t[:3] + (shared @ t[3:5])[:, None]
        sign = np.where(y == 1, 1.0, -1.0)
        z = sign[:, :, None] * (index[:, :, None] + np.exp(t[5]) * u)
        terms = np.where(np.isnan(y)[:, :, None], 0.0, log_ndtr(z)).sum(1)
        top = terms.max(1, keepdims=True)
        return top[:, 0] + np.log(np.exp(terms - top) @ w)

    names = ["start.(Intercept)", "finish.(Intercept)", "bought.(Intercept)", "arm", "ability", "ln_sigma"]
    return fit(rows, [0.6, 0.1, -0.3, 0.4, 0.6, -0.1], names)


if __name__ == "__main__":
    make_data()
    d = generated("participation")
    values = dict(
        buy_then_participate=buy_then_participate(d),
        mutual_independent=mutual(d, False),
        mutual_free=mutual(d, True),
        double_bounded=double_bounded(d, False),
        spike=double_bounded(d, True),
        log_spike=log_spike(d),
        bdm=bdm(d),
        beliefs=beliefs(d),
        funnel=funnel(d),
    )
    for name, value in values.items():
        print(name, dict(zip(value["names"], np.round(value["estimates"], 4))), np.round(np.sqrt(np.diag(value["classical"])), 3))
    save(
        "participation",
        source=software("numpy", "scipy") + "; written down from the papers, see the script",
        data=["tests/reference/participation.csv"],
        tolerance=1e-6,
        note="classical: inverse of the observed information; hc0: sandwich without correction.",
        values=values,
    )
