"""Treatments that switch on and off, by diff-diff's estimator of de Chaisemartin and D'Haultfoeuille; its data are drawn as `coupons(3)` in tests/library/rollout.rs.

    python3 -m venv venv && venv/bin/pip install diff-diff==3.13.0
    venv/bin/python tests/reference/make/switching.py
"""

import datetime
import json
import math
import pathlib
import warnings

import pandas as pd
from diff_diff import DCDH

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).resolve().parent.parent
MASK = (1 << 64) - 1


def coupons(seed):
    state = (seed * 0x9E3779B97F4A7C15) & MASK | 1

    def uniform():
        nonlocal state
        state ^= (state << 13) & MASK
        state ^= state >> 7
        state ^= (state << 17) & MASK
        return (state >> 11) / (1 << 53)

    rows = []
    for unit in range(80):
        level = 3 * uniform()
        treated = float(uniform() < 0.4)
        for week in range(6):
            if week > 0 and uniform() < 0.25:
                treated = 1 - treated
            noise = sum(uniform() - 0.5 for _ in range(4))
            rows.append((unit, week, treated, level + math.sin(week * 1.3) + treated + noise))
    return pd.DataFrame(rows, columns=["unit", "week", "on", "y"])


def fit(**options):
    return DCDH(drop_larger_lower=False).fit(coupons(3), outcome="y", unit="unit", time="week", treatment="on", **options)


once, dynamic = fit(), fit(L_max=4)
values = dict(
    did_m=once.overall_att, placebo=once.placebo_effect, did_l=[dynamic.event_study_effects[l]["effect"] for l in range(1, 5)],
    did_l_placebo=[dynamic.placebo_event_study[-1]["effect"]],
)
fixture = dict(
    source="diff-diff 3.13.0", command="python tests/reference/make/switching.py", date=str(datetime.date.today()), data="drawn by the script",
    tolerance=1e-12, note="DID_l for l = 1, 2, ... is our t+0, t+1, ...; the placebo of DID_M has the opposite sign.", values=values,
)
(HERE / "switching.json").write_text(json.dumps(fixture, indent=1) + "\n")
