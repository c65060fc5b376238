"""adaptive.json and its data adaptive.csv: means of arms and the value of a policy after an experiment of 500 rounds that Thompson sampling assigned in ten batches.

From the formulas of Hadad et al. (2021), with the shares of the variance summed rather than multiplied, and of Bibaut et al. (2021), row by row."""

import numpy as np
import pandas as pd

from common import REFERENCE, save, software

rng = np.random.default_rng(21)
T, K, size, floor = 500, 3, 50, 0.05
means, sd = np.array([0.2, 0.5, 0.45]), 0.8
arm, reward, probability, x = np.zeros(T, int), np.zeros(T), np.zeros((T, K)), rng.normal(size=T)
for t in range(T):
    if t % size == 0:
        n = np.array([(arm[:t] == k).sum() for k in range(K)])
        s = np.array([reward[:t][arm[:t] == k].sum() for k in range(K)])
        v = 1 / (1 + n / sd**2)
        best = (rng.normal(size=(4000, K)) * np.sqrt(v) + v * s / sd**2).argmax(1)
        p = floor + (1 - K * floor) * np.bincount(best, minlength=K) / 4000
    arm[t] = rng.choice(K, p=p)
    probability[t] = p
    reward[t] = means[arm[t]] + sd * rng.normal()
pi = np.column_stack([0.2 * np.ones(T), 0.5 + 0.2 * np.tanh(x), 0.3 - 0.2 * np.tanh(x)])
batch = np.arange(T) // size
pd.DataFrame({"reward": reward, "arm": arm, "batch": batch, **{f"p{k}": probability[:, k] for k in range(K)}, **{f"q{k}": pi[:, k] for k in range(K)}}).to_csv(
    REFERENCE / "adaptive.csv", index=False, float_format="%.17g")

m = np.zeros((T, K))
for t in range(T):
    for k in range(K):
        past = reward[:t][arm[:t] == k]
        m[t, k] = past.mean() if len(past) else 0
hit = arm[:, None] == np.arange(K)
gamma = m + hit * (reward[:, None] - m) / probability


def two_point(e, alpha):
    t = np.arange(1, T + 1)
    share = e / (T - t + 1) + (1 - e) * t**-alpha / (t**-alpha + (T ** (1 - alpha) - t ** (1 - alpha)) / (1 - alpha))
    h = np.zeros(T)
    for i in range(T):
        h[i] = np.sqrt(e[i] * share[i] * (1 - (h[:i] ** 2 / e[:i]).sum()).clip(0))
    return h


schemes = {"uniform": lambda e: np.ones(T), "constant": lambda e: np.sqrt(e / T), "two_point": lambda e: two_point(e, 0.7)}
values = {}
for name, scheme in schemes.items():
    h = np.column_stack([scheme(probability[:, k]) for k in range(K)])
    q = (h * gamma).sum(0) / h.sum(0)
    part = h * (gamma - q) / h.sum(0)
    values[name] = {"estimate": q, "covariance": part.T @ part}

direct = (pi * m).sum(1)
own = np.arange(T), arm
top = bottom = count = 0
plain = []
for b in range(1, T // size):
    start = b * size
    g = probability[start]
    s = np.arange(start)
    weight = g[arm[s]] / probability[s, arm[s]]
    score = direct[s] + pi[s, arm[s]] / g[arm[s]] * (reward[s] - m[s, arm[s]])
    deviation = np.sqrt((weight * score**2).mean() - (weight * score).mean() ** 2)
    t = np.arange(start, start + size)
    d = direct[t] + pi[t, arm[t]] / probability[t, arm[t]] * (reward[t] - m[t, arm[t]])
    top, bottom, count = top + (d / deviation).sum(), bottom + size / deviation, count + size
    plain += list(d)
values["policy"] = {"value": top / bottom, "error": np.sqrt(count) / bottom, "plain": np.mean(plain)}

save("adaptive", source=software("numpy", "pandas"), data=["tests/reference/adaptive.csv"], tolerance=1e-10,
     note="Two-point weights with alpha 0.7.", values=values)
