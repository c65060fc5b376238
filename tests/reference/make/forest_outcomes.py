"""forest_outcomes.json: what forests of this crate compute from given curves and given weights, written down in another way.

`freed`: outcomes freed of censoring. The crate sums over the times of censoring; here the sum is over the times of events,
`E[f] + sum_s (f(s) - Q(s)) dM(s) / G(s-)` with the martingale M of events, which is the same number when events happen where the curve steps.
`local`: ridge regressions as least squares of stacked rows, by a singular value decomposition."""

import numpy as np
from common import save, software

rng = np.random.default_rng(7)


def at(times, values, t, before=False):
    """A step function after t, or just before it."""
    passed = [v for s, v in zip(times, values) if (s < t if before else s <= t)]
    return passed[-1] if passed else 1.0


def curve(times, least):
    falls = rng.uniform(0.02, 0.2, len(times))
    return np.maximum(np.cumprod(1 - falls), least)


def mean(kind, h, times, values, after):
    """E[f(T) | T > after] by the masses of the steps."""
    left = at(times, values, after)
    before, sum_ = left, 0.0
    for s, v in zip(times, values):
        if after < s <= h:
            sum_ += (before - v) * (s if kind == "mean" else 0.0)
            before = v
    return (sum_ + before * (h if kind == "mean" else 1.0)) / left


def freed(kind, h, times, event, gone, followed, end, died):
    total = mean(kind, h, times, event, -1.0)
    before = 1.0
    for s, v in zip(times, event):
        if s > min(end, h):
            break
        own = min(s, h) if kind == "mean" else 0.0
        jump = float(died and s == end) - (1 - v / before)
        total += (own - mean(kind, h, times, event, s)) * jump / at(gone, followed, s, before=True)
        before = v
    return total


cases = []
for number in range(12):
    kind, h = ("mean", "probability")[number % 2], (6.0, 8.5)[number // 2 % 2]
    times = np.sort(rng.choice(np.arange(1, 12), 7, replace=False)).astype(float)
    gone = np.sort(rng.choice(np.arange(1, 24), 6, replace=False)) / 2
    event, followed = curve(times, 0.1), curve(gone, 0.1)
    ends = [(t, True) for t in times] + [(t, False) for t in gone] + [(0.25, False), (6.0, False), (20.0, False), (20.0, True)]
    # A censoring happens where its curve steps, or after the horizon.
    ends = [(t, d) for t, d in ends if d or t in gone or t >= h]
    cases.append(
        dict(
            kind=kind,
            horizon=h,
            event_times=times,
            event=event,
            gone_times=gone,
            followed=followed,
            ends=[t for t, _ in ends],
            died=[d for _, d in ends],
            freed=[freed(kind, h, times, event, gone, followed, t, d) for t, d in ends],
        )
    )


def local(treated):
    n, p, penalty = 15, 3, 0.4
    x, y, w = rng.normal(size=(n, p)), rng.normal(size=n), rng.normal(size=n)
    share, weight, place = rng.dirichlet(np.ones(n)), rng.uniform(0.5, 2, n), rng.normal(size=p)
    d = x - place
    heads = np.column_stack([np.ones(n), w]) if treated else np.ones((n, 1))
    design = np.hstack([heads, d] + ([d * w[:, None]] if treated else []))
    alpha = share * weight / np.sum(share * weight)
    scale = np.sum(alpha * w * w) - np.sum(alpha * w) ** 2
    ridge = np.r_[np.zeros(heads.shape[1]), np.full(p, penalty), np.full(p if treated else 0, penalty * scale)]
    rows = np.vstack([np.sqrt(alpha)[:, None] * design, np.diag(np.sqrt(ridge))])
    found = np.linalg.lstsq(rows, np.r_[np.sqrt(alpha) * y, np.zeros(len(ridge))], rcond=None)[0]
    return dict(x=x, y=y, w=w if treated else [], share=share, weight=weight, place=place, penalty=penalty, found=found[heads.shape[1] - 1])


save(
    "forest_outcomes",
    source=software("numpy"),
    data=[],
    tolerance=1e-9,
    note="`freed`: outcomes of rows that ended at `ends` (`died`, or censored) with curves that step to `event` and `followed`; `kind` is f(T): min(T, h) or "
    "1{T > h}. `local`: the last of the coefficients of 1 and of 1, w.",
    values=dict(freed=cases, local=[local(False), local(True)]),
)
