"""statsmodels: ordinary least squares on 1e6 x 20 with HC1 (`ols_hc1`) or clustered (`ols_cluster`) errors. Usage: TASK FILE [REPETITIONS]"""

import sys

import pandas as pd
import statsmodels
import statsmodels.api as sm

from measure import measure

task, path, *rest = sys.argv[1:]
data = pd.read_csv(path)
y = data["y"].to_numpy()
cluster = data["cluster"].to_numpy()
names = [c for c in data.columns if c.startswith("x")]
x = data[names]
del data


def once():
    model = sm.OLS(y, sm.add_constant(x))
    if task == "ols_hc1":
        fit = model.fit(cov_type="HC1", use_t=True)
    else:
        fit = model.fit(cov_type="cluster", cov_kwds=dict(groups=cluster), use_t=True)
    return {**{n: fit.params[n] for n in names}, **{f"se_{n}": fit.bse[n] for n in names}}


measure(task, "statsmodels", statsmodels.__version__, once, *map(int, rest))
