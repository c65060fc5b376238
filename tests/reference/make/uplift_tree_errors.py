"""uplift_tree_errors.json: the error of a difference of weighted means with clusters, by statsmodels.

Clusters of an arm have the factor G/(G - 1) of that arm. statsmodels' clustered covariance of a mean has just this factor, so arms that share no cluster add
up; where clusters have both arms, the cross term is that of the regression on the treatment."""

import numpy as np
import statsmodels.api as sm

from common import generated, save, software

frame = generated("meta_learners")
n = len(frame)
y, w, weight = frame.y.to_numpy(), frame.w.to_numpy(), 1.0 + np.arange(n) % 3
groups = {"rows": np.arange(n), "mixed": np.arange(n) // 6, "apart": 1000 * w + np.arange(n) // 12}


def mean(arm, group):
    own = w == arm
    fit = sm.WLS(y[own], np.ones(own.sum()), weights=weight[own])
    fit = fit.fit(cov_type="cluster", cov_kwds={"groups": group[own], "use_correction": True})
    return fit.params[0], fit.bse[0] ** 2, len(np.unique(group[own]))


values = {}
for name, group in groups.items():
    (m0, v0, g0), (m1, v1, g1) = mean(0, group), mean(1, group)
    # Without factors, Var(m1 - m0) = V1 + V0 - 2 C: what is left of the regression's variance is the cross term.
    slope = sm.WLS(y, sm.add_constant(w), weights=weight)
    bare = slope.fit(cov_type="cluster", cov_kwds={"groups": group, "use_correction": False}).bse[1] ** 2
    f0, f1 = g0 / (g0 - 1), g1 / (g1 - 1)
    cross = (v1 / f1 + v0 / f0 - bare) / 2
    values[name] = [m1 - m0, np.sqrt(v1 + v0 - 2 * np.sqrt(f0 * f1) * cross)]
    if name == "mixed":
        values["fewest"] = [min(g0, g1)]
save(
    "uplift_tree_errors",
    source=software("statsmodels", "numpy"),
    data=["tests/reference/meta_learners.csv"],
    tolerance=1e-9,
    note="Difference of the weighted means of y between w = 1 and 0 (weights 1 + i mod 3 of row i from 0) and its error: rows, clusters of six rows, clusters of twelve rows within an arm; fewest: clusters of the rarer arm.",
    values=values,
)
