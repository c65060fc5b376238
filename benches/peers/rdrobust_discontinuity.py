"""rdrobust with its defaults: bandwidths, conventional and bias-corrected estimate, robust error. Usage: TASK FILE [REPETITIONS]"""

import sys
from importlib.metadata import version

import pandas as pd
from rdrobust import rdrobust

from measure import measure

task, path, *rest = sys.argv[1:]
data = pd.read_csv(path)
y, x = data.y.to_numpy(), data.x.to_numpy()


def once():
    fit = rdrobust(y, x)
    return dict(h=fit.bws.loc["h", "left"], b=fit.bws.loc["b", "left"], conventional=fit.Estimate["tau.us"].iloc[0],
                corrected=fit.Estimate["tau.bc"].iloc[0], error=fit.Estimate["se.rb"].iloc[0])


measure(task, "rdrobust", version("rdrobust"), once, *map(int, rest))
