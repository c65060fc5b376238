"""scipy: 10 000 pairs bootstrap resamples of a mean of 100 000 numbers. Usage: TASK FILE [REPETITIONS]"""

import sys

import numpy as np
import pandas as pd
import scipy
from scipy.stats import bootstrap

from measure import measure

task, path, *rest = sys.argv[1:]
y = pd.read_csv(path)["y"].to_numpy()


def once():
    found = bootstrap((y,), np.mean, n_resamples=10_000, vectorized=True, batch=100, method="percentile", rng=np.random.default_rng(1))
    return dict(std_error=found.standard_error, lower=found.confidence_interval.low, upper=found.confidence_interval.high)


measure(task, "scipy", scipy.__version__, once, *map(int, rest))
