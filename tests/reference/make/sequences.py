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

save(
    "sequences",
    source=software("mpmath", "numpy", "scipy") + "; confseq (C++ unit tests)",
    data=[],
    values=values,
    tolerance=1e-9,
    note="The unit tests of confseq print seven digits.",
)
