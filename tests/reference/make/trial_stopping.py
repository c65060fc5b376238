"""Trials before purchase by numpy and scipy: splines on a fine grid, the trapezoid over what a trial shows. Data are drawn here."""

import csv

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize

from common import REFERENCE, save, software

HORIZON, DISCOUNT, SIGNAL = 3, 0.9, 0.5
GRID = np.linspace(-30, 30, 1201)
SHOCKS = np.linspace(-7, 7, 71)
WEIGHTS = np.exp(-SHOCKS**2 / 2)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def soft(x):
    return np.logaddexp(0, x)


def stages(cost, spread, ratio, ambiguity):
    """(value of one more trial, next z at every shock) at each stage, on the grid."""
    rho = 1 / (1 + ratio * np.arange(HORIZON + 1))
    value, found = soft(GRID), []
    for n in reversed(range(HORIZON)):
        fall = rho[n] - rho[n + 1]
        then = GRID[:, None] + ambiguity / 2 * spread**2 * fall + spread * np.sqrt(fall) * SHOCKS
        ahead = CubicSpline(GRID, value - soft(GRID))(np.clip(then, -30, 30)) + soft(then)
        if abs(ambiguity) < 1e-8:
            mean = ahead @ WEIGHTS
        else:
            low = ahead.min(axis=1, keepdims=True)
            mean = low[:, 0] - np.log(np.exp(-ambiguity * (ahead - low)) @ WEIGHTS) / ambiguity
        again = DISCOUNT * mean - cost
        value = np.logaddexp(soft(GRID), again)
        found.append((again, then))
    return found[::-1]


def chances(z, again):
    total = soft(z) if again is None else np.logaddexp(soft(z), again)
    return -total, z - total, None if again is None else again - total


def log_paths(parameters):
    found = stages(*parameters)
    paths = {}
    for trials in range(HORIZON + 1):
        for bought in (0, 1):
            again = found[trials][0] if trials < HORIZON else None
            values = np.exp(chances(GRID, again)[bought])
            for n in reversed(range(trials)):
                ahead = np.exp(CubicSpline(GRID, np.log(values))(np.clip(found[n][1], -30, 30))) @ WEIGHTS
                values = np.exp(chances(GRID, found[n][0])[2]) * ahead
            paths[trials, bought] = CubicSpline(GRID, np.log(values))
    return paths


def draw(rng, n):
    """Natural units: ability, belief, signals."""
    taste, prior, cost, ambiguity = 2.5, 0.6, 0.2, 0.4
    plan = stages(cost, taste * np.sqrt(prior), prior / SIGNAL, ambiguity)
    plan = [CubicSpline(GRID, again) for again, _ in plan]
    rows = []
    for _ in range(n):
        price = float(rng.integers(2)) * 1.5
        mean = first = round(float(rng.normal(0.3, 0.6)), 4)
        ability, variance, trials = rng.normal(mean, np.sqrt(prior)), prior, 0
        while True:
            z = taste * mean - ambiguity / 2 * taste**2 * variance - price
            logs = chances(z, plan[trials](z) if trials < HORIZON else None)
            p = np.exp([v for v in logs if v is not None])
            choice = rng.choice(len(p), p=p / p.sum())
            if choice < 2:
                break
            gain = variance / (variance + SIGNAL)
            mean += gain * (rng.normal(ability, np.sqrt(SIGNAL)) - mean)
            variance *= 1 - gain
            trials += 1
        rows.append((price, first, trials, choice))
    return np.array(rows)


rows = draw(np.random.default_rng(4), 1500)
with open(REFERENCE / "trial_stopping.csv", "w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["price", "prior_mean", "trials", "bought"])
    out.writerows([f"{p:g}", f"{m:g}", int(t), int(b)] for p, m, t, b in rows)


def log_likelihood(x):
    constant, price, cost, taste, ln_ratio, ambiguity = x
    ratio = np.exp(ln_ratio)
    paths = log_paths((cost, taste * np.sqrt(ratio * SIGNAL), ratio, ambiguity))
    z = constant + price * rows[:, 0] + taste * rows[:, 1]
    return sum(paths[t, b](z[(rows[:, 2] == t) & (rows[:, 3] == b)]).sum() for t, b in paths)


def hessian(f, x):
    k, h = len(x), 1e-3
    e = np.eye(k) * h
    return np.array([[(f(x + e[i] + e[j]) - f(x + e[i] - e[j]) - f(x - e[i] + e[j]) + f(x - e[i] - e[j])) / (4 * h * h) for j in range(k)] for i in range(k)])


x = minimize(lambda x: -log_likelihood(x), [-0.7, -1, 0.2, 2.5, 0.2, 0.4], method="BFGS", options={"gtol": 1e-3}).x
for _ in range(3):
    curvature = hessian(log_likelihood, x)
    h = 1e-4
    slope = np.array([(log_likelihood(x + h * e) - log_likelihood(x - h * e)) / (2 * h) for e in np.eye(6)])
    x = x - np.linalg.solve(curvature, slope)
save(
    "trial_stopping",
    source=software("numpy", "scipy"),
    data="trial_stopping.csv (drawn by this script)",
    values={
        "names": ["(Intercept)", "price", "trial_cost", "taste", "ln_ratio", "ambiguity"],
        "estimates": x,
        "std_errors": np.sqrt(np.diag(np.linalg.inv(-hessian(log_likelihood, x)))),
        "log_likelihood": log_likelihood(x),
    },
    tolerance=1e-3,
    note="the tolerance is in standard errors: both sides interpolate; observed information by central differences",
)
