"""scipy: permutation test of a difference in means, 10 000 permutations of 100 000 rows. Usage: TASK FILE [REPETITIONS]"""

import sys

import numpy as np
import pandas as pd
import scipy
from scipy.stats import permutation_test

from measure import measure

task, path, *rest = sys.argv[1:]
frame = pd.read_csv(path)
treated = frame["z"].to_numpy() == 1
arms = (frame["y"].to_numpy()[treated], frame["y"].to_numpy()[~treated])


def difference(a, b, axis):
    return np.mean(a, axis=axis) - np.mean(b, axis=axis)


def once():
    found = permutation_test(arms, difference, n_resamples=10_000, vectorized=True, batch=100, rng=np.random.default_rng(1))
    return dict(difference=found.statistic, p_value=found.pvalue)


measure(task, "scipy", scipy.__version__, once, *map(int, rest))
