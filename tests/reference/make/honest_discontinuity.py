"""honest_discontinuity.json: honest intervals at given bandwidths, on the data of discontinuity.py.

Estimate and standard error are rdrobust's conventional ones, of a sharp and of a fuzzy design; the worst bias is a linear programme over second derivatives that are constant on a
fine grid of the running variable (its error is of the order of the grid); the critical value is scipy's folded normal."""

import numpy as np
from rdrobust import rdrobust
from scipy.optimize import linprog
from scipy.stats import foldnorm

from common import generated, save, software

CELLS = 400


def worst_bias(x, weights, curvature):
    """Over f'' in [-M, M] on cells of the distances: the largest of sum l_i f(d_i), f(0) = f'(0) = 0."""
    d = np.abs(x)
    edges = np.linspace(0, d.max(), CELLS + 1)
    low, high = edges[:-1], edges[1:]
    # A unit of f'' on a cell adds the integral of (d - s) over the part of the cell below d.
    top = np.minimum(high, d[:, None])
    part = np.where(d[:, None] > low, (d[:, None] - low) ** 2 - (d[:, None] - top) ** 2, 0) / 2
    effect = weights @ part
    found = linprog(-effect, bounds=[(-curvature, curvature)] * CELLS)
    return -found.fun


def answer(f, h, curvature, kernel, fuzzy=None):
    fit = rdrobust(f["y"], f["x"], h=h, p=1, kernel=kernel, fuzzy=None if fuzzy is None else f["taken"])
    estimate, error = fit.Estimate["tau.us"].iloc[0], fit.Estimate["se.us"].iloc[0]
    bias, scale, bound = 0, 1, curvature
    if fuzzy is not None:
        # The ratio of the jumps of outcome and treatment; the bias of the jump of y - ratio t over that of t.
        scale = abs(rdrobust(f["taken"], f["x"], h=h, p=1, kernel=kernel).Estimate["tau.us"].iloc[0])
        bound = curvature + abs(estimate) * fuzzy
    for right in [False, True]:
        x = f["x"].to_numpy()
        x = x[(x >= 0) == right]
        u = np.abs(x) / h
        w = {"tri": 1 - u, "uni": np.ones_like(u), "epa": 1 - u**2}[kernel] * (u <= 1)
        x, w = x[w > 0], w[w > 0]
        r = np.column_stack([np.ones_like(x), x])
        weights = np.linalg.solve(r.T @ (w[:, None] * r), (w[:, None] * r).T)[0]
        bias += worst_bias(x, weights, bound) / scale
    return dict(fuzzy=fuzzy or 0, h=h, curvature=curvature, kernel=kernel, estimate=estimate, error=error, bias=bias,
                critical=[foldnorm.ppf(level, bias / error) for level in [0.9, 0.95, 0.99]])


if __name__ == "__main__":
    f = generated("discontinuity")
    cases = [answer(f, h, m, k) for h in [0.1, 0.2, 0.35] for m in [2.0, 14.0] for k in ["tri", "uni", "epa"]]
    cases += [answer(f, h, 2.0, k, 1.5) for h in [0.2, 0.35] for k in ["tri", "uni"]]
    save(
        "honest_discontinuity",
        source=software("rdrobust", "numpy", "scipy"),
        data="tests/reference/discontinuity.csv",
        values=cases,
        tolerance=1e-4,
        note=__doc__,
    )
