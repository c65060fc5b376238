"""Confidence sets under bounds on relative magnitudes by honestdid, a port of R's HonestDiD, which solves a linear programme for each tested value. Its least favourable critical value,
simulated with 1 000 draws there, is replaced by the exact one: the vertices of the dual programme by brute force, and an integral over angles in the plane they span (with one period after the reference, where
it only limits the first step, 4 million draws). Ends are found by halving what its test accepts. Published values are those of the package's README (simulated critical values, a grid of 1 000).

    python3 -m venv venv && venv/bin/pip install honestdid==0.1.1 "numpy<2.3" "scipy<1.16"
    venv/bin/python tests/reference/make/relative_magnitudes.py
"""

import itertools
import warnings

import honestdid.core as hd
import numpy as np
from common import save, software
from scipy.integrate import quad
from scipy.optimize import brentq

warnings.filterwarnings("ignore")

# Benzarti & Carloni (2019), effects of a cut of the value-added tax on profits of French restaurants: `BCdata_EventStudy` of HonestDiD, four years before and four after the reference.
BETA = np.array([0.006696352, 0.029345034, -0.006472972, 0.073014989, 0.195961118, 0.312063903, 0.239541546, 0.126042500])
SIGMA = np.array([
    [8.428358e-04, 4.768687e-04, 2.618051e-04, 0.0002354220, 0.0001676371, 0.0001128708, 1.992816e-05, -1.368265e-04],
    [4.768687e-04, 6.425420e-04, 3.987425e-04, 0.0002435515, 0.0002201960, 0.0001804591, 3.843765e-05, -2.960422e-05],
    [2.618051e-04, 3.987425e-04, 5.229950e-04, 0.0002117686, 0.0001840722, 0.0001458528, 7.005197e-05, 5.952995e-05],
    [2.354220e-04, 2.435515e-04, 2.117686e-04, 0.0003089595, 0.0001197866, 0.0001334081, 1.016335e-04, 1.079052e-04],
    [1.676371e-04, 2.201960e-04, 1.840722e-04, 0.0001197866, 0.0003599704, 0.0002478819, 1.749579e-04, 1.654257e-04],
    [1.128708e-04, 1.804591e-04, 1.458528e-04, 0.0001334081, 0.0002478819, 0.0004263950, 2.171438e-04, 2.892748e-04],
    [1.992816e-05, 3.843765e-05, 7.005197e-05, 0.0001016335, 0.0001749579, 0.0002171438, 4.886698e-04, 3.805322e-04],
    [-1.368265e-04, -2.960422e-05, 5.952995e-05, 0.0001079052, 0.0001654257, 0.0002892748, 3.805322e-04, 7.617394e-04],
])


def dual_vertices(sd, X):
    """All vertices of {λ ≥ 0: λ'X = 0, λ'sd = 1}."""
    M = np.column_stack([sd, X])
    found = []
    for size in range(1, M.shape[1] + 1):
        for rows in itertools.combinations(range(len(sd)), size):
            part = M[list(rows)].T
            target = np.zeros(M.shape[1])
            target[0] = 1.0
            if np.linalg.matrix_rank(part, tol=1e-10) < size:
                continue
            x = np.linalg.lstsq(part, target, rcond=None)[0]
            if np.abs(part @ x - target).max() < 1e-9 and x.min() > 1e-12:
                v = np.zeros(len(sd))
                v[list(rows)] = x
                found.append(v)
    return np.array(found)


CACHE = {}


def exact(X, sigma, kappa, sims=None, rowsForARP=None, seed=0):
    if rowsForARP is not None:
        sigma = sigma[np.ix_(rowsForARP, rowsForARP)]
        X = X[rowsForARP] if X is not None else None
    key = (sigma.tobytes(), kappa)
    if key not in CACHE:
        sd = np.sqrt(np.diag(sigma))
        if X is None:
            values, vectors = np.linalg.eigh(sigma / np.outer(sd, sd))
            root = vectors * np.sqrt(np.maximum(values, 0))
            random = np.random.default_rng(1)
            draws = np.concatenate([(random.standard_normal((400_000, len(sd))) @ root.T).max(axis=1) for _ in range(10)])
            CACHE[key] = np.quantile(draws, 1 - kappa)
        else:
            V = dual_vertices(sd, X)
            values, vectors = np.linalg.eigh(V @ sigma @ V.T)
            assert np.abs(values[:-2]).max(initial=0) < 1e-9 * values[-1]
            root = vectors[:, -2:] * np.sqrt(np.maximum(values[-2:], 0))

            def below(x):
                """Radius is limited by the largest vertex in each direction."""

                def at(angle):
                    top = (root @ [np.cos(angle), np.sin(angle)]).max()
                    return 1.0 if top <= 0 else -np.expm1(-0.5 * (x / top) ** 2)

                return sum(quad(at, a, a + np.pi / 32, epsabs=1e-13)[0] for a in np.arange(0, 2 * np.pi, np.pi / 32)) / (2 * np.pi)

            CACHE[key] = brentq(lambda x: below(x) - (1 - kappa), 0.5, 6, xtol=1e-11)
    return CACHE[key]


hd._compute_least_favorable_cv = exact


def ends(beta, sigma, before, weights, bound, alpha):
    after = len(weights)
    hull = [np.inf, -np.inf]
    scale = np.sqrt(weights @ sigma[before:, before:] @ weights)
    changes = np.abs(np.diff(np.append(beta[:before], 0.0))).max()
    reach = 12 * scale * (1 + bound) + bound * np.cumsum(weights[::-1]).sum() * changes
    for s in range(1 - before, 1):
        for positive in (True, False):

            def accepted(low, high, points):
                found = hd._computeConditionalCS_DeltaRM_fixedS(s, positive, bound, beta, sigma, before, after, weights, alpha, "LF", alpha / 10, after > 1, points, high, low)
                return found["grid"].to_numpy(), found["accept"].to_numpy().astype(bool)

            grid, yes = accepted(weights @ beta[before:] - reach, weights @ beta[before:] + reach, 201)
            if not yes.any():
                continue
            assert not yes[0] and not yes[-1]
            for place, end in ((np.argmax(yes), 0), (len(yes) - 1 - np.argmax(yes[::-1]), 1)):
                inside, outside = grid[place], grid[place + (1 if end else -1)]
                while abs(inside - outside) > 1e-8 * scale:
                    middle = 0.5 * (inside + outside)
                    if accepted(middle, middle, 1)[1][0]:
                        inside = middle
                    else:
                        outside = middle
                hull[end] = (max if end else min)(hull[end], inside)
    return hull


def main():
    first, even = np.array([1.0, 0, 0, 0]), np.ones(4) / 4
    cases = []
    for name, after, weights, bounds, alpha in [
        ("first", 4, first, [0, 0.5, 1.5], 0.05),
        ("mean", 4, even, [1], 0.05),
        ("last", 4, np.array([0, 0, 0, 1.0]), [0.5], 0.1),
        ("alone", 1, np.ones(1), [0.5, 1, 2], 0.05),
    ]:
        beta, sigma = BETA[: 4 + after], SIGMA[: 4 + after, : 4 + after]
        for bound in bounds:
            low, high = ends(beta, sigma, 4, weights, bound, alpha)
            print(name, bound, low, high, flush=True)
            cases.append(dict(name=name, after=after, weights=weights, bound=bound, level=1 - alpha, lower=low, upper=high))
    save(
        "relative_magnitudes",
        source=software("honestdid", "numpy", "scipy") + "; BCdata_EventStudy of HonestDiD (Benzarti & Carloni 2019)",
        data=[],
        tolerance=1e-6,
        note="Sets of `alone` have all moments, as in R's HonestDiD (postPeriodMomentsOnly has no effect there with one period).",
        values=dict(beta=BETA, sigma=SIGMA, before=4, cases=cases),
    )


main()
