"""pyfixest: two effects with clustered errors (`fe_two_way`, `fe_low_mobility`). Usage: TASK FILE [REPETITIONS]"""

import sys
import warnings

import pandas as pd
import pyfixest as pf

from measure import measure

warnings.filterwarnings("ignore")
task, path, *rest = sys.argv[1:]
data = pd.read_csv(path)
FORMULAS = {"fe_two_way": ("y ~ x1 + x2 + x3 | unit + period", "unit"), "fe_low_mobility": ("y ~ x1 + x2 | worker + firm", "firm")}
formula, cluster = FORMULAS[task]
# The low-mobility graph needs the tolerance that the task names and more iterations than the default.
extra = dict(fixef_tol=1e-8, fixef_maxiter=1_000_000) if task == "fe_low_mobility" else {}


def once():
    fit = pf.feols(formula, data, vcov={"CRV1": cluster}, store_data=False, copy_data=False, **extra)
    coef, se = fit.coef(), fit.se()
    return {**coef.to_dict(), **{f"se_{n}": v for n, v in se.items()}}


measure(task, "pyfixest", pf.__version__, once, *map(int, rest))
