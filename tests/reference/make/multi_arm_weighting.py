"""multi_arm_weighting.json: weighted means of three arms with their covariances by inverse propensities of a multinomial logit (statsmodels) and by entropy balancing
(dual problems by scipy), for all, for those in an arm, for the overlap; with sampling weights and clusters too.

Covariances are those of the stacked moments of first step and means: the derivative by central differences of order four, the middle as outer products by row or cluster."""

import numpy as np
import statsmodels.api as sm
from scipy.optimize import root

from common import generated, save, software


def derivative(function, at):
    columns = []
    for j in range(len(at)):
        step = np.zeros(len(at))
        step[j] = 1e-3
        near = lambda k: function(at + k * step)
        columns.append((near(-2) - 8 * near(-1) + 8 * near(1) - near(2)) / 12e-3)
    return np.column_stack(columns)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def answer(f, terms, *, method, target, weights=None, clusters=None):
    arms = sorted(f["arm"].unique())
    x = np.column_stack([np.ones(len(f))] + [f[t] for t in terms])
    x[:, 1:] = (x[:, 1:] - x[:, 1:].mean(axis=0)) / x[:, 1:].std(axis=0)
    y, s = f["outcome"].to_numpy(), f[weights].to_numpy() if weights else np.ones(len(f))
    own = np.column_stack([(f["arm"] == a).to_numpy(dtype=float) for a in arms])
    n, q, k = len(f), x.shape[1], len(arms)

    if method == "ipw":
        start = np.zeros((k - 1) * q) if weights else sm.MNLogit(own.argmax(axis=1), x).fit(disp=0, tol=1e-14, maxiter=200).params.T.ravel()

        def ratio(theta):
            e = softmax(np.column_stack([np.zeros(n), x @ theta.reshape(k - 1, q).T]))
            h = {"all": np.ones(n), "overlap": 1 / (1 / e).sum(axis=1)}.get(target, e[:, arms.index(target)] if target in arms else None)
            return e, h[:, None] / e

        def first(theta):
            e, _ = ratio(theta)
            return np.column_stack([(own[:, [a]] - e[:, [a]]) * x for a in range(1, k)])
    else:
        moved = [a for a in range(k) if arms[a] != target]
        start = np.zeros(len(moved) * q)

        def ratio(theta):
            w = np.ones((n, k))
            for at, a in enumerate(moved):
                w[:, a] = np.exp(x @ theta[at * q : (at + 1) * q])
            return None, w

        def first(theta):
            _, w = ratio(theta)
            like = np.ones(n) if target == "all" else own[:, arms.index(target)]
            return np.column_stack([(like - own[:, a] * w[:, a])[:, None] * x for a in moved])

    moments = lambda theta: (s[:, None] * first(theta)).sum(axis=0) / n
    # Newton from the solver's point: the roots are exact to rounding.
    theta = root(moments, start, tol=1e-13).x
    for _ in range(5):
        theta = theta - np.linalg.solve(derivative(moments, theta), moments(theta))
    weight = own * ratio(theta)[1] * s[:, None]
    means = (weight * y[:, None]).sum(axis=0) / weight.sum(axis=0)

    def stacked(parameters):
        theta, mu = parameters[: len(start)], parameters[len(start) :]
        w = own * ratio(theta)[1]
        return s[:, None] * np.column_stack([first(theta), w * (y[:, None] - mu)])

    at = np.concatenate([theta, means])
    bread = np.linalg.inv(derivative(lambda p: stacked(p).sum(axis=0), at))
    scores = stacked(at)
    if clusters:
        scores = np.vstack([scores[(f[clusters] == g).to_numpy()].sum(axis=0) for g in f[clusters].unique()])
    factor = len(scores) / (len(scores) - 1)
    covariance = factor * bread @ scores.T @ scores @ bread.T
    return dict(means=means, covariance=covariance[len(start) :, len(start) :])


if __name__ == "__main__":
    f = generated("causal")
    cases = []
    for method in ["ipw", "entropy"]:
        for target in ["all", "a", "c", "overlap"]:
            if (method, target) == ("entropy", "overlap"):
                continue
            for more in [{}, dict(weights="weight", clusters="village")]:
                options = dict(method=method, target=target, **more)
                cases.append(dict(options=options, **answer(f, ["x1", "x2"], **options)))
    save(
        "multi_arm_weighting",
        source=software("statsmodels", "scipy", "numpy"),
        data="tests/reference/causal.csv",
        values=cases,
        tolerance=1e-7,
        note=__doc__,
    )
