"""Treatments that switch on and off in a panel with gaps, by definition in pandas: differences of two periods among units observed in both; a unit whose row before its first change is missing is a control
until its last row before it (as did_multiplegt_dyn has it). The data are those of `switching.py` without each eleventh row.

    python tests/reference/make/switching_gaps.py
"""

import datetime
import json
import math
import pathlib

import numpy as np
import pandas as pd

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


data = coupons(3)
data = data[np.arange(len(data)) % 11 != 5]
y, d = (data.pivot(index="unit", columns="week", values=v) for v in ("y", "on"))
weeks, units = list(y.columns), y.index


def mean_of(cells):
    """Mean over (sign, switchers, stayers, change): by switchers; with its influence by unit."""
    size = sum(len(s) for _, s, _, _ in cells)
    each = [sign * (change[s].mean() - change[c].mean()) for sign, s, c, change in cells]
    total = sum(len(cell[1]) * e for cell, e in zip(cells, each)) / size
    psi = pd.Series(0.0, index=units)
    for (sign, s, c, change), e in zip(cells, each):
        psi[s] += sign * (change[s] - change[s].mean()) / size + (e - total) / size
        psi[c] -= sign * len(s) / len(c) * (change[c] - change[c].mean()) / size
    return total, psi


def consecutive(lag):
    cells = []
    for t in weeks[1 + lag:]:
        for before in (0.0, 1.0):
            inside = (d[t - 1] == before) & d[t].notna()
            if lag:
                inside_lag = inside & (d[t - 2] == before)
            else:
                inside_lag = inside
            s, c = units[inside_lag & (d[t] != before)], units[inside_lag & (d[t] == before)]
            if len(s) and len(c):
                cells.append((1 - 2 * before, s, c, y[t - lag] - y[t - lag - 1]))
    return mean_of(cells)[0]


first, until, start = {}, {}, {}
for u in units:
    seen = [t for t in weeks if not np.isnan(d.at[u, t])]
    start[u] = d.at[u, seen[0]]
    first[u], until[u] = math.inf, weeks[-1]
    changed = [t for t in seen if d.at[u, t] != start[u]]
    if changed:
        if changed[0] - 1 in seen:
            first[u] = changed[0]
        else:
            until[u] = max(t for t in seen if t < changed[0])
first, until, start = pd.Series(first), pd.Series(until), pd.Series(start)
cells = {}
for before in (0.0, 1.0):
    for cohort in sorted(set(first[(start == before) & np.isfinite(first)])):
        base = int(cohort) - 1
        for t in weeks:
            if t == base:
                continue
            there = (start == before) & y[t].notna() & y[base].notna()
            s = units[there & (first == cohort)]
            c = units[there & (first > max(t, base)) & (first != cohort) & (until >= max(t, base))]
            if len(s) and len(c):
                cells.setdefault(t - int(cohort), []).append((1 - 2 * before, s, c, y[t] - y[base]))
times = sorted(cells)
found = [mean_of(cells[time]) for time in times]
n = len(units)
fixture = dict(
    source=f"numpy {np.__version__}, pandas {pd.__version__}", command="python tests/reference/make/switching_gaps.py", date=str(datetime.date.today()), data="drawn by the script",
    tolerance=1e-12, note="did_m: DID_M and its placebo; errors with the factor G/(G - 1).",
    values=dict(
        did_m=[consecutive(0), consecutive(1)], times=times, did_l=[float(e) for e, _ in found], errors=[float(np.sqrt((p**2).sum() * n / (n - 1))) for _, p in found],
        unclear=int((until < weeks[-1]).sum()),
    ),
)
(HERE / "switching_gaps.json").write_text(json.dumps(fixture, indent=1) + "\n")
