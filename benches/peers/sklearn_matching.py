"""Nearest-neighbour matching with replacement, Mahalanobis distance, the average effect and the error of Abadie & Imbens (2006) with two others of the
own arm, written with k-d trees of scikit-learn. Usage: TASK FILE [REPETITIONS]"""

import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
from sklearn.neighbors import KDTree

from measure import measure

task, path, *rest = sys.argv[1:]
data = pd.read_csv(path)
x, y, w = data[[c for c in data.columns if c.startswith("x")]].to_numpy(), data.y.to_numpy(), data.w.to_numpy() == 1


def once():
    points = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
    trees = [KDTree(points[w == arm]) for arm in (False, True)]
    rows = [np.flatnonzero(w == arm) for arm in (False, True)]
    other, uses, variance = np.empty(len(y)), np.zeros(len(y)), np.empty(len(y))
    for arm in (0, 1):
        own = rows[arm]
        match = rows[1 - arm][trees[1 - arm].query(points[own], k=1, return_distance=False)[:, 0]]
        other[own] = y[match]
        np.add.at(uses, match, 1)
        near = own[trees[arm].query(points[own], k=3, return_distance=False)]
        variance[own] = y[near].var(axis=1, ddof=1)
    effects = np.where(w, y - other, other - y)
    effect = effects.mean()
    total = ((effects - effect) ** 2).sum() + (variance * (uses**2 + uses)).sum()
    return dict(effect=effect, error=np.sqrt(total) / len(y))


measure(task, "scikit-learn", version("scikit-learn"), once, *map(int, rest))
