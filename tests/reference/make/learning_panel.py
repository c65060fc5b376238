"""A learning panel by numpy and scipy: signals seen, not seen (Gauss-Hermite over what signals say), and customers who look ahead (splines). Data are drawn here."""

import csv

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize
from scipy.stats import multivariate_normal, norm

from common import REFERENCE, save, software

PERIODS, SIGNAL, DISCOUNT = 4, 0.8, 0.9


def draw(rng, n):
    taste, prior, ambiguity = 1.2, 0.9, 0.4
    rows = []
    for i in range(n):
        told = mean = round(float(rng.normal(0.2, 0.6)), 4)
        variance, ability = prior, rng.normal(told, np.sqrt(prior))
        for t in range(PERIODS):
            price = float(rng.integers(2)) * 0.8
            value = 0.4 + taste * mean - ambiguity / 2 * taste**2 * variance - price
            takes = int(value + rng.normal() > 0)
            signal = round(float(rng.normal(ability, np.sqrt(SIGNAL))), 4) if takes else None
            rows.append((i, t, price, told, takes, signal))
            if takes:
                gain = variance / (variance + SIGNAL)
                mean, variance = mean + gain * (signal - mean), variance * (1 - gain)
    return rows


rows = draw(np.random.default_rng(7), 400)
with open(REFERENCE / "learning_panel.csv", "w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["customer", "period", "price", "prior_mean", "participates", "signal"])
    out.writerows([i, t, f"{p:g}", f"{m:g}", d, "" if s is None else f"{s:g}"] for i, t, p, m, d, s in rows)

shape = (-1, PERIODS)
price = np.array([r[2] for r in rows]).reshape(shape)
prior = np.array([r[3] for r in rows]).reshape(shape)[:, 0]
takes = np.array([r[4] for r in rows]).reshape(shape)
signal = np.array([0.0 if r[5] is None else r[5] for r in rows]).reshape(shape)
sign = 2 * takes - 1
count = np.cumsum(takes, axis=1) - takes
total = np.cumsum(signal, axis=1) - signal


def contents(ln_sd, ratio):
    """The multivariate normal density of what each customer's signals say, together for those with as many."""
    variance, found = np.exp(2 * ln_sd), 0.0
    for n in range(1, PERIODS + 1):
        covariance = variance * (np.eye(n) + ratio * np.ones((n, n)))
        density = multivariate_normal(np.zeros(n), covariance)
        said = [s[d == 1] - m for s, d, m in zip(signal, takes, prior) if d.sum() == n]
        found += density.logpdf(np.array(said)).sum()
    return found


def seen(x, ahead=None):
    constant, slope, taste, ln_ratio, ln_sd, ambiguity = x
    ratio = np.exp(ln_ratio)
    v0 = ratio * np.exp(2 * ln_sd)
    precision = 1 / v0 + count * ratio / v0
    mean = (prior[:, None] / v0 + total * ratio / v0) / precision
    value = constant + slope * price + taste * mean - ambiguity / 2 * taste**2 / precision
    if ahead:
        z = constant + slope * price.mean() + taste * mean
        plan = ahead(x)
        for t in range(PERIODS - 1):
            for n in range(t + 1):
                here = count[:, t] == n
                value[here, t] += plan[t, n](z[here, t])
    return norm.logcdf(sign * value).sum() + contents(ln_sd, ratio)


GRID = np.linspace(-20, 20, 641)
SHOCKS = np.linspace(-6.5, 6.5, 40)
WEIGHTS = np.exp(-SHOCKS**2 / 2) / np.exp(-SHOCKS**2 / 2).sum()
LEVELS, SHARES = np.unique(price, return_counts=True)


def gain(v):
    return v * norm.cdf(v) + norm.pdf(v)


def plan(x):
    """What the information of taking part is worth, at each period and number of signals."""
    _, slope, taste, ln_ratio, ln_sd, ambiguity = x
    ratio = np.exp(ln_ratio)
    spread = taste * np.sqrt(ratio) * np.exp(ln_sd)
    rho = 1 / (1 + ratio * np.arange(PERIODS + 1))
    moves = slope * (LEVELS - price.mean())
    later = {n: np.zeros_like(GRID) for n in range(PERIODS + 1)}
    found, annuity = {}, 0.0
    for t in reversed(range(PERIODS)):
        now = {}
        for n in range(t + 1):
            ahead = 0.0
            if t < PERIODS - 1:
                then = GRID[:, None] + spread * np.sqrt(rho[n] - rho[n + 1]) * SHOCKS
                # Values less their linear part, which splines would carry beyond the grid.
                rest = CubicSpline(GRID, later[n + 1] - annuity * gain(GRID))(np.clip(then, -20, 20))
                ahead = DISCOUNT * ((rest + annuity * gain(then)) @ WEIGHTS - later[n])
                found[t, n] = CubicSpline(GRID, ahead)
            flows = [gain(GRID + e - ambiguity / 2 * spread**2 * rho[n] + ahead) for e in moves]
            now[n] = np.average(flows, axis=0, weights=SHARES) + DISCOUNT * later[n]
        later, annuity = now, 1 + DISCOUNT * annuity
    return found


NODES, MASS = np.polynomial.hermite_e.hermegauss(40)
MASS = MASS / MASS.sum()


def unseen(x):
    """Signals not seen, their variance known: the belief is a random walk in what has been learned."""
    constant, slope, taste, ln_ratio = x
    ratio = np.exp(ln_ratio)
    spread = taste * np.sqrt(ratio * SIGNAL)
    rho = 1 / (1 + ratio * np.arange(PERIODS))
    steps = spread * np.sqrt(rho[:-1] - rho[1:])
    axes = [np.zeros((1, 1, 1)), NODES[:, None, None], NODES[None, :, None], NODES[None, None, :]]
    walk = [sum(s * e for s, e in zip([0, *steps[:n]], axes)) for n in range(PERIODS)]
    mass = MASS[:, None, None] * MASS[None, :, None] * MASS[None, None, :]
    found, known = 0.0, {}
    base = constant + slope * price + taste * prior[:, None]
    for i in range(len(prior)):
        key = (tuple(base[i]), tuple(takes[i]))
        if key not in known:
            p = 1.0
            for t in range(PERIODS):
                p = p * norm.cdf(sign[i, t] * (base[i, t] + walk[count[i, t]]))
            known[key] = np.log((mass * p).sum())
        found += known[key]
    return found


def hessian(f, x, h=1e-3):
    k = len(x)
    e = np.eye(k) * h
    found = np.zeros((k, k))
    for i in range(k):
        for j in range(i + 1):
            found[i, j] = (f(x + e[i] + e[j]) - f(x + e[i] - e[j]) - f(x - e[i] + e[j]) + f(x - e[i] - e[j])) / (4 * h * h)
            found[j, i] = found[i, j]
    return found


def maximum(f, start):
    x = minimize(lambda x: -f(x), start, method="BFGS", options={"gtol": 1.0}).x
    for _ in range(3):
        curvature = hessian(f, x)
        slope = np.array([(f(x + 1e-4 * e) - f(x - 1e-4 * e)) / 2e-4 for e in np.eye(len(x))])
        x = x - np.linalg.solve(curvature, slope)
    print(x, slope, flush=True)
    return {"estimates": x, "std_errors": np.sqrt(np.diag(np.linalg.inv(-hessian(f, x)))), "log_likelihood": f(x)}


start = [0.4, -1, 1.2, 0.1, -0.1, 0.4]
save(
    "learning_panel",
    source=software("numpy", "scipy"),
    data="learning_panel.csv (drawn by this script)",
    values={
        "names": ["(Intercept)", "price", "taste", "ln_ratio", "ln_sd_signal", "ambiguity"],
        "names_unseen": ["(Intercept)", "price", "taste", "ln_ratio"],
        "seen": maximum(seen, start),
        "ahead": maximum(lambda x: seen(x, plan), start),
        "unseen": maximum(unseen, start[:4]),
    },
    tolerance=1e-3,
    note="signals seen: exact on both sides, estimates to 1e-4 standard errors; customers who look ahead: both sides interpolate; signals not seen: here 40 nodes for each of three signals, there simulation, whose error is the tolerance; observed information by central differences",
)
