"""DoubleML on 1e6 rows with linear learners (the propensity by logistic regression without a penalty), or on the first 100 000 with LightGBM's trees.
Folds are drawn by each, so that numbers agree up to what folds do. Usage: TASK FILE [REPETITIONS]"""

import sys
from importlib.metadata import version

import doubleml as dml
import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression

from measure import measure

task, path, *rest = sys.argv[1:]
trees = task.endswith("trees")
data = pd.read_csv(path, nrows=100_000 if trees else None)
x, y = data[[c for c in data.columns if c.startswith("x")]].to_numpy(), data.y.to_numpy()
treatment = (data.d if task.startswith("dml_plr") else data.w).to_numpy(dtype=float)
options = dict(n_estimators=100, learning_rate=0.1, num_leaves=31, min_child_samples=20, verbose=-1)
mean = LGBMRegressor(**options) if trees else LinearRegression()
chance = LGBMClassifier(**options) if trees else LogisticRegression(C=np.inf)


def once():
    np.random.seed(1)
    made = dml.DoubleMLData.from_arrays(x, y, treatment)
    if task.startswith("dml_plr"):
        model = dml.DoubleMLPLR(made, mean, mean, n_folds=5)
    else:
        model = dml.DoubleMLIRM(made, mean, chance, n_folds=5)
    model.fit()
    return dict(effect=model.coef[0], error=model.se[0])


measure(task, "doubleml", version("doubleml"), once, *map(int, rest))
