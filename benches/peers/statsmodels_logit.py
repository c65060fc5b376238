"""statsmodels: logit of y > 0 on 20 regressors, 1e6 rows, Newton, classical errors. Usage: TASK FILE [REPETITIONS]"""

import sys

import pandas as pd
import statsmodels
import statsmodels.api as sm

from measure import measure

task, path, *rest = sys.argv[1:]
data = pd.read_csv(path)
y = (data["y"] > 0).to_numpy().astype(float)
names = [c for c in data.columns if c.startswith("x")]
x = data[names]
del data


def once():
    fit = sm.Logit(y, sm.add_constant(x)).fit(disp=0)
    return {**{n: fit.params[n] for n in names}, **{f"se_{n}": fit.bse[n] for n in names}}


measure(task, "statsmodels", statsmodels.__version__, once, *map(int, rest))
