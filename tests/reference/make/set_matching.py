"""set_matching.json: optimal and full matching: least sums of distances as linear programmes, whose solutions are whole numbers.

Mahalanobis distances in numpy. Optimal pairs and one to two: scipy's assignment; full matching and variable ratios: scipy's milp (HiGHS). Of the data the first 300 rows,
for one to two and variable ratios every treated row but the first 60 left out."""

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linear_sum_assignment, milp
from scipy.sparse import lil_matrix

from common import generated, save, software


def distances(d, names, caliper=None):
    x = d[names].to_numpy()
    s = np.linalg.inv(np.cov(x.T))
    t, c = x[d.w == 1], x[d.w == 0]
    gap = t[:, None, :] - c[None]
    out = np.sqrt(np.einsum("ijk,kl,ijl->ij", gap, s, gap))
    if caliper:
        out[np.abs(gap[:, :, 0]) > caliper * x[:, 0].std(ddof=1)] = np.inf
    return out


def effect(y, t, c, pairs, treated_weight=True):
    """The mean of set differences weighted by treated rows; pairs are edges of stars."""
    sets = {}
    for i, j in pairs:
        a = next((s for s in sets.values() if ("t", i) in s or ("c", j) in s), None)
        if a is None:
            sets[len(sets)] = {("t", i), ("c", j)}
        else:
            a |= {("t", i), ("c", j)}
    w, diff = [], []
    for s in sets.values():
        ti, ci = [k for a, k in s if a == "t"], [k for a, k in s if a == "c"]
        w.append(len(ti) if treated_weight else len(ti) + len(ci))
        diff.append(y[t[ti]].mean() - y[c[ci]].mean())
    w, diff = np.array(w) / np.sum(w), np.array(diff)
    tau = w @ diff
    n = len(w)
    return [tau, float(np.sqrt(n / (n - 1) * np.sum((w * (diff - tau)) ** 2)))]


def programme(cost, low, high, total=None):
    """Edges of the cheapest graph with degrees of rows and columns between bounds."""
    n, m = cost.shape
    ok = np.isfinite(cost).ravel()
    a = lil_matrix((n + m + 1, n * m))
    for i in range(n):
        a[i, i * m:(i + 1) * m] = 1
    for j in range(m):
        a[n + j, j::m] = 1
    a[n + m, :] = 1
    lo = np.r_[np.full(n, low[0]), np.full(m, low[1]), total or 0]
    hi = np.r_[np.full(n, high[0]), np.full(m, high[1]), total or n * m]
    r = milp(np.where(ok, cost.ravel(), 0), integrality=np.ones(n * m), bounds=Bounds(0, ok.astype(float)), constraints=LinearConstraint(a.tocsr(), lo, hi), options={"mip_rel_gap": 0})
    return r.fun, [(k // m, k % m) for k in np.flatnonzero(r.x > 0.5)]


d = generated("causal").iloc[:300].reset_index(drop=True)
few = d[(d.w == 0) | (d.w.cumsum() <= 60)].reset_index(drop=True)
values = {}
for name, frame, ratio in [("pairs", d, 1), ("two", few, 2)]:
    cost = np.repeat(distances(frame, ["x1", "x2"]), ratio, axis=0)
    i, j = linear_sum_assignment(cost)
    y, t, c = frame.y.to_numpy(), np.flatnonzero(frame.w == 1), np.flatnonzero(frame.w == 0)
    values[name] = {"total": cost[i, j].sum(), "rows": len(i), "effect": effect(y, t, c, [(a // ratio, b) for a, b in zip(i, j)])}
for name, frame, low, high, total, caliper in [
    ("full", d, (1, 1), (999, 999), None, None),
    ("variable", few, (1, 0), (4, 1), 90, None),
]:
    cost = distances(frame, ["x1", "x2"], caliper)
    total, edges = programme(cost, low, high, total)
    y, t, c = frame.y.to_numpy(), np.flatnonzero(frame.w == 1), np.flatnonzero(frame.w == 0)
    values[name] = {"total": total, "rows": len(edges), "effect": effect(y, t, c, edges), "effect_all": effect(y, t, c, edges, False)}
    print(name, values[name])
save("set_matching", source=software("scipy", "numpy"), data=["tests/reference/causal.csv"], values=values,
     note="total: the least sum of distances; rows: pairs; effect: on the treated with the error over sets; effect_all: on all.")
