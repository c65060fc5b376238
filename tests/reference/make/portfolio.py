"""A portfolio of tests: normal and Student's t effects by maximum likelihood, adaptive shrinkage by long expectation-maximisation."""

import numpy as np
from common import save, software
from scipy import optimize, stats

rng = np.random.default_rng(4)
n = 120
s = np.exp(rng.uniform(np.log(0.3), np.log(1.0), n))
effect = 0.2 + 0.6 * rng.standard_t(2, n)
x = effect + s * rng.standard_normal(n)

# Normal: the log-likelihood directly.
normal = lambda p: -stats.norm.logpdf(x, p[0], np.hypot(s, np.exp(p[1]))).sum()
found = optimize.minimize(normal, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 5000})
mean, sd = found.x[0], np.exp(found.x[1])
pull = sd**2 / (sd**2 + s**2)
values = {"x": x, "s": s, "normal": {
    "mean": mean, "sd": sd, "log_likelihood": -found.fun, "posterior_mean": mean + pull * (x - mean), "posterior_sd": np.sqrt(pull) * s}}

# Student's t: the integral over the effect by the trapezoid rule on effect = centre + sinh(u), which reaches far into the tails.
u = np.linspace(-9, 9, 4001)
theta, weight = np.sinh(u), np.cosh(u) * (u[1] - u[0])


def parts(p):
    centre, scale, freedom = p[0], np.exp(p[1]), np.exp(p[2])
    at = centre + theta
    prior = stats.t.pdf(theta / scale, freedom) / scale * weight
    return at, prior[None, :] * stats.norm.pdf(x[:, None], at[None, :], s[:, None])


value = lambda p: -np.log(parts(p)[1].sum(axis=1)).sum() if 0 <= p[2] <= np.log(100) else np.inf
found = optimize.minimize(value, [0.2, -0.5, 1.2], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-11, "maxiter": 3000})
at, joint = parts(found.x)
total = joint.sum(axis=1)
posterior = (joint * at).sum(axis=1) / total
# The half line by itself: a rule over a jump would be crude.
right = np.sinh(np.linspace(0, 9, 4001))
step = np.cosh(np.linspace(0, 9, 4001)) * (9 / 4000)
step[0] /= 2
centre, scale, freedom = found.x[0], np.exp(found.x[1]), np.exp(found.x[2])
half = stats.t.pdf((right - centre) / scale, freedom) / scale * step * stats.norm.pdf(x[:, None], right[None, :], s[:, None])
values["t"] = {
    "centre": found.x[0], "scale": np.exp(found.x[1]), "freedom": np.exp(found.x[2]), "log_likelihood": -found.fun,
    "posterior_mean": posterior, "positive": half.sum(axis=1) / total}

# Adaptive shrinkage: Stephens' grid and penalty, a million steps of expectation and maximisation.
last = 2 * np.sqrt(max((x**2 - s**2).max(), 0))
grid = [last]
while grid[-1] / np.sqrt(2) > s.min() / 10:
    grid.append(grid[-1] / np.sqrt(2))
grid = np.array([0.0] + grid[::-1])
likelihood = stats.norm.pdf(x[:, None], 0, np.hypot(s[:, None], grid[None, :]))
w = np.full(len(grid), 1 / len(grid))
penalty = np.zeros(len(grid))
penalty[0] = 9.0
for _ in range(400_000):
    share = likelihood * w
    share /= share.sum(axis=1, keepdims=True)
    new = share.sum(axis=0) + penalty
    new /= new.sum()
    if np.abs(new - w).max() < 1e-15:
        break
    w = new
share = likelihood * w
share /= share.sum(axis=1, keepdims=True)
shrunk = grid**2 / (grid**2 + s[:, None] ** 2)
post_sd = np.sqrt(shrunk) * s[:, None]
with np.errstate(divide="ignore", invalid="ignore"):
    positive = np.where(grid > 0, stats.norm.cdf(shrunk * x[:, None] / post_sd), 0.0)
    negative = np.where(grid > 0, stats.norm.cdf(-shrunk * x[:, None] / post_sd), 0.0)
positive, negative = (share * positive).sum(axis=1), (share * negative).sum(axis=1)
values["ash"] = {
    "components": len(grid), "null": w[0], "log_likelihood": np.log(likelihood @ w).sum(),
    "penalised": np.log(likelihood @ w).sum() + 9 * np.log(w[0]),
    "posterior_mean": (share * shrunk * x[:, None]).sum(axis=1), "false_sign_rate": 1 - np.maximum(positive, negative)}

save(
    "portfolio",
    source=software("scipy", "numpy"),
    data="120 made-up tests, effects .2 + .6 t(2)",
    values=values,
    note="likelihoods written out and maximised by Nelder-Mead (normal, t) and by expectation-maximisation (adaptive shrinkage)",
)
