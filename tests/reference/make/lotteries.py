"""Attitudes to risk and ambiguity by scipy: likelihoods written down plainly, errors clustered by subject. Data are drawn here."""

import csv

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm

from common import REFERENCE, save, software

SUBJECTS, PAIRS = 40, 25
rng = np.random.default_rng(8)


def simplex(n):
    return np.round(rng.dirichlet([1, 1, 1], n), 3)


n = SUBJECTS * PAIRS
subject = np.repeat(np.arange(SUBJECTS), PAIRS)
gains = rng.random(n) < 0.6
payoffs = {}
probabilities = {}
for name in "ab":
    spread = 20.0 if name == "b" else 8.0
    x = np.round(rng.uniform(1, 12, (n, 3)) + np.array([0.5, 0.3, 0]) * spread, 1)
    x[~gains, 2] = -np.round(rng.uniform(1, 0.5 * spread + 3, (~gains).sum()), 1)
    p = simplex(n)
    p[:, 2] = np.round(1 - p[:, 0] - p[:, 1], 3)
    q = simplex(n)
    q[:, 2] = np.round(1 - q[:, 0] - q[:, 1], 3)
    payoffs[name], probabilities[name] = x, (p, q)


def crra(x, r):
    return (x ** (1 - r) - 1) / (1 - r)


def expo_power(x, r, a):
    return (1 - np.exp(-a * x ** (1 - r))) / a


def prelec(p, gamma, eta):
    safe = np.clip(p, 1e-300, 1)
    return np.where(p <= 0, 0, np.exp(-eta * np.abs(-np.log(safe)) ** gamma))


def tversky_kahneman(p, gamma, _):
    return p**gamma / (p**gamma + (1 - p) ** gamma) ** (1 / gamma)


def ranked(x, p, u, w, signed):
    """Gains from the best down, losses from the worst up; all of a sum of one has weight one."""
    order = np.argsort(-x, axis=1, kind="stable")
    x, p = np.take_along_axis(x, order, 1), np.take_along_axis(p, order, 1)

    def weigh(total):
        total = np.where(np.isclose(total, 1, atol=1e-9), 1, np.clip(total, 0, 1))
        return w(total)

    down, up = np.cumsum(p, axis=1), np.cumsum(p[:, ::-1], axis=1)[:, ::-1]
    of_gains = weigh(down) - weigh(np.where(np.isclose(down - p, 0, atol=1e-12), 0, down - p))
    of_losses = weigh(up) - weigh(np.where(np.isclose(up - p, 0, atol=1e-12), 0, up - p))
    return (np.where(signed & (x < 0), of_losses, of_gains) * u(x)).sum(1)


def value(theory, name, t, mask):
    x = payoffs[name][mask]
    p, q = (s[mask] for s in probabilities[name])
    if theory == "crra":
        return (p * crra(x, t[0])).sum(1)
    if theory == "expo_power":
        return (p * expo_power(x, t[0], t[1])).sum(1)
    if theory == "prelec_two":
        return ranked(x, p, lambda y: crra(y, t[0]), lambda v: prelec(v, np.exp(t[1]), np.exp(t[2])), False)
    if theory == "prelec":
        return ranked(x, p, lambda y: crra(y, t[0]), lambda v: prelec(v, np.exp(t[1]), 1), False)
    if theory == "tversky_kahneman":
        return ranked(x, p, lambda y: crra(y, t[0]), lambda v: tversky_kahneman(v, np.exp(t[1]), 1), False)
    if theory == "prospect":
        u = lambda y: np.where(y < 0, -np.exp(t[2]) * np.abs(y) ** (1 - t[0]), np.abs(y) ** (1 - t[0]))
        return ranked(x, p, u, lambda v: prelec(v, np.exp(t[1]), 1), True)
    means = np.array([(s * crra(x, t[0])).sum(1) for s in (p, q)])
    return -np.log(np.exp(-t[1] * means).mean(0)) / t[1]


def utility(theory, y, t):
    if theory == "expo_power":
        return expo_power(y, t[0], t[1])
    if theory == "prospect":
        return np.where(y < 0, -np.exp(t[2]) * np.abs(y) ** (1 - t[0]), np.abs(y) ** (1 - t[0]))
    return crra(y, t[0])


def extremes(mask):
    both = np.hstack([payoffs["a"], payoffs["b"]])[mask]
    possible = np.hstack([probabilities[k][0] + probabilities[k][1] * MIX for k in "ab"])[mask] > 0
    return np.where(possible, both, -np.inf).max(1), np.where(possible, both, np.inf).min(1)


MIX = 0


def index(theory, error, t, mask):
    a, b = value(theory, "a", t, mask), value(theory, "b", t, mask)
    mu = np.exp(t[-1])
    if error == "luce":
        return np.log((b + 1 / (1 - t[0])) / (a + 1 / (1 - t[0]))) / mu
    if error == "fechner":
        return (b - a) / mu
    best, worst = extremes(mask)
    return (b - a) / mu / (utility(theory, best, t) - utility(theory, worst, t))


truth = {"crra": [0.4, np.log(0.25)], "prospect": [0.3, np.log(0.8), np.log(1.6), np.log(0.2)]}
chosen = np.zeros(n, dtype=int)
chosen[gains] = rng.random(gains.sum()) < norm.cdf(index("crra", "contextual", truth["crra"], gains))
chosen[~gains] = rng.random((~gains).sum()) < norm.cdf(index("prospect", "contextual", truth["prospect"], ~gains))
names = [f"{k}{c}{i}" for k in "ab" for c in "xpq" for i in (1, 2, 3)]
table = np.hstack([np.hstack([payoffs[k], *probabilities[k]]) for k in "ab"])
with open(REFERENCE / "lotteries.csv", "w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["subject", "gains", "chose_b", *names])
    for i in range(n):
        out.writerow([subject[i], int(gains[i]), chosen[i], *(f"{v:g}" for v in table[i])])


def fit(theory, error, start, mask, logistic=False):
    y = chosen[mask]

    def rows(t):
        z = index(theory, error, t, mask)
        z = np.where(y > 0, z, -z)
        return -np.logaddexp(0, -z) if logistic else norm.logcdf(z)

    k = len(start)
    f = lambda t: -rows(t).sum()
    x = minimize(f, start, method="Nelder-Mead", options={"maxiter": 1500, "maxfev": 1500, "xatol": 1e-7, "fatol": 1e-9}).x

    # Smaller steps for the small coefficient of expo-power utility.
    scale = np.where(np.abs(np.array(start)) == 0.05, 0.1, 1.0)

    def slopes(t, h=1e-4):
        e = np.diag(scale * h)
        eight = lambda d: (8 * (rows(t + d) - rows(t - d)) - (rows(t + 2 * d) - rows(t - 2 * d))) / (12 * d.sum())
        return np.array([eight(d) for d in e])

    def curvature(t, h=1e-3):
        e = np.diag(scale * h)
        g = lambda u: slopes(u).sum(1)
        return np.array([(8 * (g(t + d) - g(t - d)) - (g(t + 2 * d) - g(t - 2 * d))) / (12 * d.sum()) for d in e])

    for _ in range(5):
        x = x - np.linalg.solve(curvature(x), slopes(x).sum(1))
    s = slopes(x).T
    groups = subject[mask]
    sums = np.array([s[groups == g].sum(0) for g in np.unique(groups)])
    bread = np.linalg.inv(-curvature(x))
    g = len(sums)
    covariance = g / (g - 1) * (len(s) - 1) / (len(s) - k) * bread @ sums.T @ sums @ bread
    return {"estimates": x, "std_errors": np.sqrt(np.diag(bread)), "clustered": np.sqrt(np.diag(covariance)), "log_likelihood": rows(x).sum()}


everyone = np.full(n, True)
values = {
    "crra contextual": fit("crra", "contextual", [0.3, -1.4], gains),
    "crra fechner": fit("crra", "fechner", [0.3, 0.0], gains),
    "crra luce": fit("crra", "luce", [0.3, -1.5], gains, logistic=True),
    "expo_power fechner": fit("expo_power", "fechner", [0.3, 0.05, 0.0], gains, logistic=True),
    "prelec_two contextual": fit("prelec_two", "contextual", [0.3, 0.0, 0.0, -1.4], gains),
    "prelec fechner": fit("prelec", "fechner", [0.3, 0.0, 0.0], gains),
    "tversky_kahneman contextual": fit("tversky_kahneman", "contextual", [0.3, 0.0, -1.4], gains),
    "prospect contextual": fit("prospect", "contextual", [0.3, 0.0, 0.5, -1.4], everyone),
}
MIX = 1
values["smooth contextual"] = fit("smooth", "contextual", [0.3, 0.3, -1.4], gains)
save(
    "lotteries",
    source=software("numpy", "scipy"),
    data="lotteries.csv (drawn by this script)",
    values=values,
    tolerance=1e-6,
    note="Nelder–Mead, then Newton with five-point differences; clustered errors with G/(G − 1) (n − 1)/(n − K)",
)
