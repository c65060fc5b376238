"""rosenbaum.json: bounds of Rosenbaum, published and by other ways than ours.

Pairs: p-values in numpy; estimates and intervals as order statistics of the averages of two differences. Sets: the extreme distributions by trying every 0/1 covariate of every set.
Published: lead in the blood of children of exposed fathers (Rosenbaum 2002, table 4.2; the data are those of the examples of the R package rbounds) and, for McNemar, Hammond's smokers
(section 4.3.2: 110 and 12 of 122 pairs that differ), here by scipy's binomial distribution."""

from itertools import product

import numpy as np
from scipy.stats import binom, norm, rankdata

from common import generated, save, software

TREATED = [38, 23, 41, 18, 37, 36, 23, 62, 31, 34, 24, 14, 21, 17, 16, 20, 15, 10, 45, 39, 22, 35, 49, 48, 44, 35, 43, 39, 34, 13, 73, 25, 27]
CONTROL = [16, 18, 18, 24, 19, 11, 10, 15, 16, 18, 18, 13, 19, 10, 16, 16, 24, 13, 9, 14, 21, 19, 7, 18, 19, 12, 11, 22, 25, 16, 13, 11, 13]


def signed_rank(d, gamma):
    r = rankdata(np.abs(d))
    t, r = r[d > 0].sum(), r[d != 0]
    p = np.array([1, gamma]) / (1 + gamma)
    z = (t - p * r.sum()) / np.sqrt(p * (1 - p) * (r**2).sum())
    return [list(norm.sf(z)), list(norm.cdf(z[::-1]))]


def averages(d, gamma, level=0.95):
    n = len(d)
    w = np.sort([(d[i] + d[j]) / 2 for i in range(n) for j in range(i, n)])[::-1]
    total, squares = n * (n + 1) / 2, n * (n + 1) * (2 * n + 1) / 6
    z = norm.ppf((1 + level) / 2)
    def estimate(m):  # between the last effect with more than m averages above it and the first with fewer
        return (w[int(np.floor(m))] + w[int(np.ceil(m)) - 1]) / 2
    low, high = total / (1 + gamma), total * gamma / (1 + gamma)
    sd = np.sqrt(gamma / (1 + gamma) ** 2 * squares)
    return {"estimates": [estimate(high), estimate(low)], "interval": [w[int(np.floor(high + z * sd))], w[int(np.ceil(low - z * sd)) - 1]]}


def sets(groups, gamma, events):
    """Groups of outcomes, treated flags; every u of each set is tried."""
    y = np.concatenate([g[0] for g in groups])
    if events:
        q = y
    else:
        q = rankdata(np.round(np.concatenate([g[0] - g[0].mean() for g in groups]), 12))
    t, mean, var, at = 0.0, np.zeros(2), np.zeros(2), 0
    for g, w in groups:
        own = q[at:at + len(g)]
        at += len(g)
        t += own[w].sum()
        found = []
        for u in product([0, 1], repeat=len(g)):
            # One row is alone in its arm: with odds exp(γ u) as treated, with exp(−γ u) as untreated.
            odds = gamma ** (np.array(u) if w.sum() == 1 else -np.array(u, float))
            p = odds / odds.sum()
            s = own if w.sum() == 1 else own.sum() - own
            found.append((p @ s, p @ s**2 - (p @ s) ** 2))
        for end, sign in ((0, -1), (1, 1)):
            best = max(sign * f[0] for f in found)
            mean[end] += sign * best
            var[end] += max(f[1] for f in found if abs(sign * f[0] - best) < 1e-12)
    z = (t - mean) / np.sqrt(var)
    return [list(norm.sf(z)), list(norm.cdf(z[::-1]))]


lead = np.array(TREATED, float) - np.array(CONTROL)
d = generated("causal")
values = {
    "treated": TREATED,
    "control": CONTROL,
    "lead": [[g, signed_rank(lead, g)] for g in (1, 2, 3, 4, 4.25, 5)],
    "lead_published": [[2, 0.0018], [3, 0.0136], [4, 0.0388], [4.25, 0.0468], [5, 0.0740]],
    "hammond": [[g, float(binom.sf(109, 122, g / (1 + g))), float(binom.sf(109, 122, 1 / (1 + g)))] for g in (1, 4, 5, 6)],
}
# Pairs of rows that follow each other; sets of three, by turns one treated and one untreated.
y = d.y.to_numpy()
differences = y[0:80:2] - y[1:80:2] + 0.4
values["pairs"] = [[g, averages(differences, g)] for g in (1, 1.3, 2)]
groups = [(y[3 * i:3 * i + 3], np.arange(3) == 0 if i % 2 == 0 else np.arange(3) != 0) for i in range(40)]
values["sets"] = [[g, sets(groups, g, False)] for g in (1, 1.5, 3)]
binary = [((g > 0.5).astype(float), w) for g, w in groups]
values["events"] = [[g, sets(binary, g, True)] for g in (1, 1.5, 3)]
save("rosenbaum", source=software("scipy", "numpy"), data=["tests/reference/causal.csv"], values=values,
     note="P-values: against larger outcomes of the treated, least and largest; against smaller ones. pairs: rows 1 and 2, 3 and 4, … of the first 80, the first treated with 0.4 more. sets: rows in threes, of which by turns the first alone is treated, and alone is not.")
