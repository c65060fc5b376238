"""rank_areas.json: rank-weighted average effects summed over ranks, by the definitions that `rank_average_treatment_effect` of grf 2.x documents: the mean score of ties,
TOC(j) = weighted mean of the scores down to j less that of all, AUTOC = Σ w TOC / Σ w, QINI = Σ (cumulated share) w TOC / Σ w.

Needs numpy alone."""

import numpy as np
from common import save, software

N = 60


def case(ties, weighted):
    rows = np.arange(N)
    x = (rows * 37 % 61) / 61
    priority = np.floor(5 * x) if ties else x
    scores = 2 * x * x - 0.3 + ((rows * 29 % 59) / 59 - 0.5)
    weights = 1.0 + rows % 4 if weighted else np.ones(N)
    return priority, scores, weights


def areas(priority, scores, weights):
    smooth = np.array([np.average(scores[priority == p], weights=weights[priority == p]) for p in priority])
    order = sorted(range(len(scores)), key=lambda i: -priority[i])  # stable: ties in the order of rows
    average = np.average(scores, weights=weights)
    autoc = qini = auuc = above = below = 0.0
    total = weights.sum()
    for i in order:
        above += weights[i] * smooth[i]
        below += weights[i]
        toc = above / below - average
        autoc += weights[i] * toc / total
        qini += weights[i] * below / total * toc / total
        auuc += weights[i] * above / total / total
    return [autoc, qini, auuc]


cases = []
for ties in [False, True]:
    for weighted in [False, True]:
        priority, scores, weights = case(ties, weighted)
        cases.append({"priority": priority.tolist(), "scores": scores.tolist(), "weights": weights.tolist(), "areas": areas(priority, scores, weights)})
save(
    "rank_areas",
    source=software("numpy"),
    data=[],
    tolerance=1e-12,
    note="AUTOC, Qini coefficient and the area under the gain curve, in this order",
    values={"cases": cases},
)
