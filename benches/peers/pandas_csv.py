"""pandas: reading a mixed CSV of 100 MB with the C engine (`csv`). Usage: TASK FILE [REPETITIONS]"""

import sys

import pandas as pd

from measure import measure

task, path, *rest = sys.argv[1:]


def once():
    frame = pd.read_csv(path, engine="c")
    return {"rows": len(frame), "amount_sum": frame["amount"].sum()}


measure(task, "pandas", pd.__version__, once, *map(int, rest))
