"""LightGBM: 100 rounds of boosted trees on 1e6 x 20, two threads, squared (`trees_squared`) or logistic (`trees_logistic`) loss. Usage: TASK FILE [REPETITIONS]"""

import sys

import lightgbm
import numpy as np
import pandas as pd

from measure import measure

task, path, *rest = sys.argv[1:]
data = pd.read_csv(path)
x = data[[c for c in data.columns if c.startswith("x")]].to_numpy()
y = data["y" if task == "trees_squared" else "one"].to_numpy(dtype=float)
del data
n = 1_000_000
options = dict(objective="regression" if task == "trees_squared" else "binary", num_leaves=31, learning_rate=0.1, min_data_in_leaf=20, max_bin=255,
               num_threads=2, verbose=-1)
model = None


def once():
    global model
    model = lightgbm.train(options, lightgbm.Dataset(x[:n], y[:n], params=options), 100)
    p = model.predict(x[n:], num_threads=2)
    t = y[n:]
    loss = np.mean((p - t) ** 2) if task == "trees_squared" else -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))
    return dict(loss=loss)


measure(task, "lightgbm", lightgbm.__version__, once, *map(int, rest))
