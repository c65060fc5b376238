"""matching_sampling.json: matching with replacement on a sample with unequal chances, by its definition with all distances written down.

The metric is that of the unweighted rows. Matches count by their sampling weights; the error is the sum of squares of what each row adds."""

import numpy as np

from common import generated, save, software


def regression(x, y, weights):
    design = np.column_stack([np.ones(len(y)), x])
    beta = np.linalg.solve(design.T @ (weights[:, None] * design), design.T @ (weights * y))
    return lambda at: np.column_stack([np.ones(len(at)), at]) @ beta


def answer(x, y, w, s, *, estimand, neighbours, others, mahalanobis, correct):
    n = len(y)
    metric = np.linalg.inv(np.cov(x.T)) if mahalanobis else np.diag(1 / x.var(axis=0, ddof=1))
    gap = x[:, None, :] - x[None, :, :]
    distance = np.einsum("ijk,kl,ijl->ij", gap, metric, gap)
    asked = {"ATE": np.full(n, True), "ATT": w == 1, "ATC": w == 0}[estimand]
    share = np.zeros((n, n))  # of row j among the matches of row i
    variance = np.empty(n)
    for i in range(n):
        opposite, own = np.flatnonzero(w != w[i]), np.flatnonzero(w == w[i])
        if asked[i]:
            match = opposite[np.argsort(distance[i, opposite])[:neighbours]]
            share[i, match] = s[match] / s[match].sum()
        near = own[np.argsort(distance[i, own])[: others + 1]]
        variance[i] = y[near].var(ddof=1)
    uses = s @ share
    counterpart = share @ y
    if correct:
        for arm in (0, 1):
            used = (w == arm) & (uses > 0)
            if used.any():
                mean = regression(x[used], y[used], uses[used])(x)
                moved = asked & (w != arm)
                counterpart[moved] += (mean - share @ mean)[moved]
    effect = np.where(w == 1, y - counterpart, counterpart - y)
    estimate = (s * effect)[asked].sum() / s[asked].sum()
    spread = ((s * (effect - estimate))[asked] ** 2).sum()
    noise = (variance * (uses**2 + 2 * np.where(asked, s, 0) * uses - s**2 @ share**2)).sum()
    return [estimate, np.sqrt(spread + noise) / s[asked].sum()]


if __name__ == "__main__":
    f = generated("causal")
    x, y, w = f[["x1", "x2"]].to_numpy(), f["y"].to_numpy(), f["w"].to_numpy()
    s = np.exp(0.8 * f["x1"].to_numpy()) + 0.2
    cases = []
    for estimand in ["ATE", "ATT", "ATC"]:
        for neighbours, others in [(1, 2), (3, 1)]:
            for mahalanobis in [True, False]:
                for correct in [False, True]:
                    case = dict(estimand=estimand, neighbours=neighbours, others=others, mahalanobis=mahalanobis, correct=correct)
                    cases.append(dict(**case, effect=answer(x, y, w, s, **case)))
    save(
        "matching_sampling",
        source=software("numpy"),
        data="tests/reference/causal.csv, with the weights exp(0.8 x1) + 0.2",
        values=cases,
        tolerance=1e-9,
        note=__doc__,
    )
