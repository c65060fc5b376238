"""dose_response.csv and dose_response.json: the doubly robust dose-response curve of Kennedy et al. (2017) with linear nuisances, in numpy.

Written from the formulas: least squares outside the fold for the mean of the dose, its variance and the outcome; a Gaussian kernel estimate (Silverman) of the
standardised residuals outside the fold, tabulated at 501 points; means over the rows at 41 doses, straight lines between; regression of the score on a natural
cubic spline (patsy's basis: the fitted values are those of any basis of the same space), with clustered influence functions."""

import numpy as np
import pandas as pd
from patsy import dmatrix

from common import REFERENCE, generated, save, software


def make_data(n=240):
    rng = np.random.default_rng(20261125)
    x1, x2 = rng.normal(size=(2, n))
    d = 0.6 * x1 + 0.3 * x2 + np.sqrt(0.6 + 0.1 * np.clip(x1, -2, 2)) * rng.normal(size=n)
    y = x1 - 0.5 * x2 + d + 0.4 * np.sin(2 * d) + rng.normal(size=n)
    frame = pd.DataFrame(dict(y=y, d=d, x1=x1, x2=x2)).round(6)
    frame["part"] = rng.permutation(np.arange(n) % 3)
    frame["weight"] = 1 + np.arange(n) % 3
    frame.to_csv(REFERENCE / "dose_response.csv", index=False)


def least_squares(X, y, w):
    root = np.sqrt(w)
    return np.linalg.lstsq(X * root[:, None], y * root, rcond=None)[0]


def kernel(values, w):
    total = w.sum()
    centre = (w * values).sum() / total
    sd = np.sqrt((w * (values - centre) ** 2).sum() / total)
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(w[order])
    quartile = lambda share: values[order][np.searchsorted(reached, share * total * (1 - 1e-12))]
    h = 0.9 * min(sd, (quartile(0.75) - quartile(0.25)) / 1.34) * (total**2 / (w**2).sum()) ** -0.2
    points = np.linspace(values.min() - 4 * h, values.max() + 4 * h, 501)
    table = (w * np.exp(-0.5 * ((points[:, None] - values) / h) ** 2)).sum(1) / (total * h * np.sqrt(2 * np.pi))
    return lambda v: np.interp(v, points, table, left=0, right=0)


def curve(f, weights, at):
    n, one = len(f), np.ones(len(f))
    w = f.weight.to_numpy(float) if weights else one
    X = np.column_stack([one, f.x1, f.x2])
    d, y, part = f.d.to_numpy(), f.y.to_numpy(), f.part.to_numpy()
    share = w / w.sum()

    def out_of_fold(X, target, tables):
        out = [np.empty(n) for _ in tables]
        for k in range(3):
            beta = least_squares(X[part != k], target[part != k], w[part != k])
            for column, table in zip(out, tables):
                column[part == k] = table[part == k] @ beta
        return out

    centre = out_of_fold(X, d, [X])[0]
    off = d - centre
    variance = out_of_fold(X, off**2, [X])[0]
    s = np.sqrt(np.maximum(variance, 0.1 * (share * off**2).sum()))
    grid = np.linspace(d.min(), d.max(), 41)
    density = np.empty((n, 42))
    for k in range(3):
        own = part == k
        f_k = kernel((off / s)[~own], share[~own])
        where = np.column_stack([d[own], np.tile(grid, (own.sum(), 1))])
        density[own] = f_k((where - centre[own, None]) / s[own, None]) / s[own, None]
    XD = np.column_stack([X, d])
    tables = [XD] + [np.column_stack([X, np.full(n, g)]) for g in grid]
    mu = np.column_stack(out_of_fold(XD, y, tables))
    level, marginal = share @ mu[:, 1:], share @ density[:, 1:]
    ratio = np.minimum(np.interp(d, grid, marginal) / density[:, 0], 20)
    score = (y - mu[:, 0]) * ratio + np.interp(d, grid, level)
    knots = np.quantile(d, np.linspace(0.05, 0.95, 5))
    spline = lambda v: np.asarray(dmatrix("cr(v, knots=k, lower_bound=a, upper_bound=b) - 1", {"v": v, "k": knots[1:-1], "a": knots[0], "b": knots[-1]}))
    # A natural cubic spline is straight beyond its outer knots; patsy's is, too.
    B = spline(d)
    inverse = np.linalg.inv(B.T @ (share[:, None] * B))
    beta = inverse @ (B.T @ (share * score))
    # The mean over the doses given of b(d) (mu(x, d) - m(d)), which is piecewise linear in d.
    integral = np.array([(share * np.interp(d, grid, row - level)) @ B for row in mu[:, 1:]])
    psi = share[:, None] * ((B * (score - B @ beta)[:, None] + integral) @ inverse.T)
    groups = np.array([psi[part == k].sum(0) for k in range(3)])
    covariance = 1.5 * groups.T @ groups
    b = spline(np.array(at))
    return {"mean": b @ beta, "error": np.sqrt(np.einsum("ij,jk,ik->i", b, covariance, b)), "ratio": ratio[:20], "score": score[:20]}


if not (REFERENCE / "dose_response.csv").exists():
    make_data()
frame = generated("dose_response")
at = [-1.5, -0.5, 0.0, 0.7, 1.6]
save(
    "dose_response",
    source=software("numpy", "patsy", "pandas"),
    data=["tests/reference/dose_response.csv"],
    tolerance=1e-8,
    note="Curve at the doses `at` with errors of three clusters, which are the folds; weights and scores of the first 20 rows; without and with weights.",
    values={"at": at, "plain": curve(frame, False, at), "weighted": curve(frame, True, at)},
)
