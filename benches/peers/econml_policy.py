"""EconML's policy tree of depth 2 on given rewards of three arms, 100 000 rows and ten features. It grows greedily, one question after the other,
so that its value may be lower than that of the exact tree. Usage: policy_tree FILE [REPETITIONS]"""

import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
from econml.policy import PolicyTree

from measure import measure

task, path, *rest = sys.argv[1:]
data = pd.read_csv(path)
x = data[[c for c in data.columns if c.startswith("x")]].to_numpy()
scores = data[["s0", "s1", "s2"]].to_numpy()


def once():
    tree = PolicyTree(max_depth=2, min_samples_split=2, min_samples_leaf=1, min_balancedness_tol=0.5, honest=False, random_state=1).fit(x, scores)
    value = np.mean(scores[np.arange(len(x)), tree.predict(x)])
    return dict(value=value, econml_value=value)


measure(task, "econml", version("econml"), once, *map(int, rest))
