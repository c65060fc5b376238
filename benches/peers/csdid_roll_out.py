"""Group-time effects, doubly robust with one covariate, 999 draws for simultaneous bands, and their simple average by csdid. Usage: TASK FILE [REPETITIONS]"""

import contextlib
import io
import sys
import warnings
from importlib.metadata import version

import pandas as pd
from csdid.att_gt import ATTgt

from measure import measure

warnings.filterwarnings("ignore")
task, path, *rest = sys.argv[1:]
data = pd.read_csv(path)


def once():
    with contextlib.redirect_stdout(io.StringIO()):
        model = ATTgt(yname="y", gname="start", idname="unit", tname="period", xformla="y ~ x", data=data.copy(), control_group="nevertreated",
                      biters=999, cband=True)
        found = model.fit(est_method="dr", base_period="varying", bstrap=True)
        simple = found.aggte(typec="simple", bstrap=False, cband=False).atte
    return dict(simple=simple["overall_att"], effects=len(found.MP["att"]))


measure(task, "csdid", version("csdid"), once, *map(int, rest))
