"""Stitched boundaries, betting on one side and between arms, two proportions, two quantiles and several coefficients at every look: the papers' formulas
written down here, slowly.

Numbers of other people's software are kept beside ours: confseq's unit tests (gostevehoward/confseq, test/uniform_boundaries_unittest.cpp). The data are formulas of the
row number, which the test writes down again.
"""

import mpmath as mp
import numpy as np
from common import save, software
from scipy import optimize, special

mp.mp.dps = 40
values = {}


# --- Polynomial stitching (Howard, Ramdas, McAuliffe & Sekhon 2021, eq. 10) ---------------------------------------------------
def stitched(v, alpha, m, c, s, eta):
    v, alpha, m, c, s, eta = map(mp.mpf, (max(v, m), alpha, m, c, s, eta))
    k1, k2 = (eta ** mp.mpf("0.25") + eta ** mp.mpf("-0.25")) / mp.sqrt(2), (mp.sqrt(eta) + 1) / 2
    ell = mp.log(mp.zeta(s) * (mp.log(v / m) / mp.log(eta) + 1) ** s) + mp.log(1 / alpha)
    return mp.sqrt(k1**2 * v * ell + k2**2 * c**2 * ell**2) + k2 * c * ell


values["stitched"] = [
    {"v": v, "alpha": alpha, "start": m, "scale": c, "exponent": s, "spacing": eta, "threshold": float(stitched(v, alpha, m, c, s, eta))}
    for v, alpha, m, c, s, eta in [
        (100, 0.05, 10, 3, 1.4, 2), (5, 0.05, 10, 3, 1.4, 2), (1, 0.025, 1, 0, 1.4, 2), (1e4, 0.025, 1, 0, 1.4, 2), (1e12, 1e-10, 1, 0, 1.4, 2),
        (1e6, 0.05, 100, 1, 1.2, 1.5), (1e6, 0.9, 0.01, 0.5, 3, 4),
    ]
]
values["confseq"] = {"stitched": 64.48755}

# --- Betting on one side, and on a difference of arms -------------------------------------------------------------------------------
i = np.arange(1, 801)
x = ((i * 7919 % 1009) / 1008.0) ** 2


def capitals(x, points, alpha):
    """Logarithms of both gamblers' capitals after each row, with stakes for this level of one side."""
    more, less = np.zeros((len(x), len(points))), np.zeros((len(x), len(points)))
    for t in range(1, len(x) + 1):
        past = x[: t - 1]
        means = (0.5 + np.cumsum(past)) / (np.arange(1, t) + 1)
        variance = (0.25 + ((past - means) ** 2).sum()) / t
        stake = np.sqrt(2 * np.log(1 / alpha) / (variance * t * np.log(1 + t)))
        with np.errstate(divide="ignore"):
            more[t - 1] = np.log1p(np.minimum(stake, 0.5 / points) * (x[t - 1] - points))
            less[t - 1] = np.log1p(-np.minimum(stake, 0.5 / (1 - points)) * (x[t - 1] - points))
    return np.cumsum(more, axis=0), np.cumsum(less, axis=0)


def betting(x, null, alpha, side):
    grid = np.linspace(0, 1, 1001)
    capital = capitals(x, grid, alpha)[side == "less"]
    at_null = capitals(x, np.array([null]), alpha)[side == "less"][:, 0]
    left = np.flatnonzero(capital.max(axis=0) < np.log(1 / alpha))
    return {
        "lower": max(left[0] - 1, 0) / 1000 if side == "greater" else 0.0,
        "upper": min(left[-1] + 1, 1000) / 1000 if side == "less" else 1.0,
        "log_e_value": at_null[-1], "p_value": min(1.0, np.exp(-at_null.max())),
    }


values["betting"] = {side: betting(x, 0.3 if side == "greater" else 0.36, 0.05, side) for side in ["greater", "less"]}
treated = i * 31 % 7 < 2
outcome = np.clip(x + 0.2 * treated * (i % 3 == 0), 0, 1)
share = 2 / 7
centre = (0.5 + np.concatenate([[0], np.cumsum(outcome)[:-1]])) / i
score = (outcome - centre) * np.where(treated, 1 / share, -1 / (1 - share))
unit = (score * share + 1) / 2
values["betting"]["difference"] = {
    side: {k: (2 * v - 1) / share if k in ("lower", "upper") else v for k, v in betting(unit, 0.5, 0.05, side).items()} for side in ["greater", "less"]
}
values["betting"]["difference"]["estimate"] = score.mean()

# --- Two proportions: every block's nearest pair by bisection of the divergence's derivative (Turner, Ly & Grünwald; Turner & Grünwald) -------
def nearest(na, nb, ta, tb, partner, low, high):
    """The rate of the control whose pair is nearest, at 40 digits; `partner` maps it to the other rate and that rate's derivative."""

    def slope(a):
        b, rise = partner(a)
        return na * ((1 - ta) / (1 - a) - ta / a) + nb * rise * ((1 - tb) / (1 - b) - tb / b)

    for _ in range(130):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return (low + high) / 2


def lines(measure, x):
    if measure == "difference":
        return (lambda a: (a + x, 1)), max(mp.mpf(0), -x), min(mp.mpf(1), 1 - x)
    if measure == "ratio":
        return (lambda a: (a * x, x)), mp.mpf(0), min(mp.mpf(1), 1 / x)
    return (lambda a: (x * a / (1 - a + x * a), x / (1 - a + x * a) ** 2)), mp.mpf(0), mp.mpf(1)


def divergence(measure, a, b):
    return {"difference": b - a, "ratio": b / a, "odds_ratio": b * (1 - a) / (a * (1 - b))}[measure]


def log_evidence(blocks, measure, x, side, prior=mp.mpf("0.18")):
    """Of each block after those before it."""
    x, total, path = mp.mpf(x), mp.mpf(0), []
    sums = [mp.mpf(0)] * 4
    for ya, na, yb, nb in blocks:
        ta, tb = (sums[0] + prior) / (sums[1] + 2 * prior), (sums[2] + prior) / (sums[3] + 2 * prior)
        here = divergence(measure, ta, tb)
        if side == "both" or (side == "more" and here > x) or (side == "less" and here < x):
            partner, low, high = lines(measure, x)
            a = nearest(na, nb, ta, tb, partner, low, high)
            b = partner(a)[0]
            total += ya * mp.log(ta / a) + (na - ya) * mp.log((1 - ta) / (1 - a)) + yb * mp.log(tb / b) + (nb - yb) * mp.log((1 - tb) / (1 - b))
        path.append(total)
        sums = [s + c for s, c in zip(sums, (ya, na, yb, nb))]
    return path


def crossing(blocks, measure, side, limit, far, near):
    """Where the evidence of all blocks falls to the limit."""
    far, near = mp.mpf(far), mp.mpf(near)
    for _ in range(60):
        middle = (far + near) / 2
        far, near = (middle, near) if log_evidence(blocks, measure, middle, side)[-1] > limit else (far, middle)
    return float(far)


mp.mp.dps = 25
pairs = [(1 - (k == 8), 1, int(k == 4), 1) for k in range(10)]
days = [(3 + k % 4, 40 + k, 6 + k % 5, 30 + 2 * k) for k in range(12)]
limit = mp.log(20)
values["two_proportions"] = {
    # The example of its help page by the formulas of its code, with uniroot's tolerance at 1e-14: the e-value of equality, and those of differences until they reach 20.
    "safestats": {
        "pairs": 57.5241776475, "differences": [-0.364736842105, -0.260526315789, -0.781578947368], "e_values": [0.735131398, 1.994405924, 0.1059041943],
    },
    "log_e_values": [
        {"blocks": name, "measure": measure, "null": null, "side": side, "log_e_value": float(path[-1]), "largest": float(max(path))}
        for name, blocks in [("pairs", pairs), ("days", days)]
        for measure, null, side in [
            ("difference", 0, "both"), ("difference", -0.3, "both"), ("difference", 0.02, "more"), ("difference", 0.3, "less"), ("ratio", 1.5, "both"), ("ratio", 0.5, "more"),
            ("odds_ratio", 1.2, "more"), ("odds_ratio", 0.8, "less"),
        ]
        for path in [log_evidence(blocks, measure, null, side)]
    ],
    "ends": {
        "difference": [crossing(days, "difference", "both", limit, -0.9, 0.12), crossing(days, "difference", "both", limit, 0.9, 0.12)],
        "difference_greater": crossing(days, "difference", "more", limit, -0.9, 0.12),
        "ratio": [crossing(days, "ratio", "both", limit, 0.01, 2), crossing(days, "ratio", "both", limit, 50, 2)],
        "odds_ratio_greater": crossing(days, "odds_ratio", "more", limit, 1, 2.5),
        "odds_ratio": crossing(days, "odds_ratio", "more", limit + mp.log(2), 1, 2.5),
    },
}

save(
    "sequences",
    source=software("mpmath", "numpy", "scipy") + "; confseq (C++ unit tests); safestats (formulas of R/safe2x2Test.R of its repository, run in R 4.2.2)",
    data=[],
    values=values,
    tolerance=1e-9,
    note="The unit tests of confseq print seven digits.",
)
