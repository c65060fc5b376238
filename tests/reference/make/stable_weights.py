"""stable_weights.json: weights of least variance (Zubizarreta 2015) as quadratic programmes, and entropy balancing within a tolerance as a convex programme, by cvxopt.

Weights w of an arm minimise the sum of s w^2 (or of s w log w), with w >= 0, weighted sum 1, and standardised means within the tolerance of the target's."""

import cvxopt
import numpy as np

from common import generated, save, software

cvxopt.solvers.options.update(show_progress=False, abstol=1e-13, reltol=1e-13, feastol=1e-13, maxiters=200)
frame = generated("causal")
x = frame[["x1", "x2"]].to_numpy()


def programme(x, target, s, deviation, tolerance, entropy):
    """Weights of rows with sampling weights s: the values s w, which sum to one."""
    n, p = x.shape
    gap = ((x - target) / deviation).T  # p by n, times s w is the distance
    a = np.vstack([np.ones(n)] if tolerance else [np.ones(n), *gap])
    b = np.array([1.0] + [0.0] * (0 if tolerance else p))
    g, h = [-np.eye(n)], [np.zeros(n)]
    if tolerance:
        g, h = g + [gap, -gap], h + [np.full(2 * p, tolerance)]
    m = cvxopt.matrix
    constraints = dict(G=m(np.vstack(g)), h=m(np.concatenate(h)), A=m(a), b=m(b))
    if not entropy:
        found = cvxopt.solvers.qp(m(np.diag(2 * n / s)), m(np.zeros(n)), **constraints)
        return np.array(found["x"]).ravel()

    def f(v=None, z=None):
        if v is None:
            return 0, m(np.full(n, 1 / n))
        v = np.array(v).ravel()
        if (v <= 0).any():
            return None
        value, slope = (v * np.log(v / s)).sum(), (np.log(v / s) + 1)[None]
        return (m(value), m(slope)) if z is None else (m(value), m(slope), m(z[0] * np.diag(1 / v)))

    return np.array(cvxopt.solvers.cp(f, **constraints)["x"]).ravel()


def means(estimand, tolerance, weighted, entropy=False):
    """Weighted mean outcomes of arms 1 and 0, and their effective rows."""
    s = frame.weight.to_numpy() if weighted else np.ones(len(frame))
    everyone = np.average(x, axis=0, weights=s)
    deviation = np.sqrt(np.average((x - everyone) ** 2, axis=0, weights=s))
    out = []
    for arm in (1, 0):
        own = (frame.w == arm).to_numpy()
        if (estimand, arm) in (("att", 1), ("atc", 0)):
            v = s[own] / s[own].sum()
        else:
            like = np.full(len(frame), True) if estimand == "ate" else ~own
            target = np.average(x[like], axis=0, weights=s[like])
            v = programme(x[own], target, s[own], deviation, tolerance, entropy)
        out += [(v * frame.y[own]).sum(), 1 / (v**2).sum()]
    return out


cases = {f"{e}_{t}_{int(w)}": means(e, t, w) for e in ("ate", "att", "atc") for t in (0, 0.05) for w in (False, True)}
cases |= {f"entropy_{e}_0.05_0": means(e, 0.05, False, True) for e in ("ate", "att")}
save(
    "stable_weights",
    source=software("cvxopt", "numpy", "pandas"),
    data=["tests/reference/causal.csv"],
    tolerance=1e-6,
    note="By estimand, tolerance and sampling weights: mean of arm 1, its effective rows, mean of arm 0, its effective rows. An interior-point method stops at about 1e-8.",
    values=cases,
)
