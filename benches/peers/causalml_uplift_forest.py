"""causalml's uplift forest: 20 trees of depth 8 on 100 000 rows and ten features, the Kullback-Leibler criterion, and 10 000 predictions, on two
threads. Every tree draws as many rows with replacement. Usage: uplift_forest FILE [REPETITIONS]"""

import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
from causalml.inference.tree import UpliftRandomForestClassifier

from measure import measure

task, path, *rest = sys.argv[1:]
data = pd.read_csv(path)
x = data[[c for c in data.columns if c.startswith("x")]].to_numpy()
arm, y, effect = np.where(data.w == 1, "treated", "control"), data.y.to_numpy(), data.effect.to_numpy()
n = 100_000


def once():
    forest = UpliftRandomForestClassifier(control_name="control", n_estimators=20, evaluationFunction="KL", max_depth=8, max_features=4,
                                          min_samples_leaf=50, min_samples_treatment=10, n_reg=10, n_jobs=2, random_state=1)
    forest.fit(x[:n], y=y[:n], treatment=arm[:n])
    found = forest.predict(x[n:]).ravel()
    return dict(causalml_squared_error=np.mean((found - effect[n:]) ** 2), mean_effect=np.mean(found))


measure(task, "causalml", version("causalml"), once, *map(int, rest))
