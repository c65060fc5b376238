"""EconML's causal forest: 500 honest trees on 10 000 rows and ten features, the true means taken away, and 10 000 predictions with their
variances, on two threads. Usage: causal_forest FILE [REPETITIONS]"""

import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
from econml.grf import CausalForest

from measure import measure

task, path, *rest = sys.argv[1:]
data = pd.read_csv(path)
x = data[[c for c in data.columns if c.startswith("x")]].to_numpy()
y, w = (data.y - data.m).to_numpy(), (data.w - data.e).to_numpy()
effect = data.effect.to_numpy()
n = 10_000


def once():
    forest = CausalForest(n_estimators=500, criterion="het", max_samples=0.5, min_samples_leaf=5, max_features=None, honest=True, inference=True,
                          subforest_size=2, n_jobs=2, random_state=1)
    forest.fit(x[:n], w[:n], y[:n])
    found, variance = forest.predict_and_var(x[n:])
    return dict(econml_squared_error=np.mean((found.ravel() - effect[n:]) ** 2), mean_effect=np.mean(found), econml_std_error=np.mean(np.sqrt(variance)))


measure(task, "econml", version("econml"), once, *map(int, rest))
