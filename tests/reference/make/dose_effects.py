"""dose_effects.json: effects of a dose that differ by features, with linear nuisances, on dose_response.csv.

Least squares outside the fold for the means of the outcome and of the functions of the dose; least squares of residuals on residuals times 1, x1, x2. Errors of
statsmodels: clustered, and HC3. EconML's LinearDML must find the same coefficients on the same folds. The spline is patsy's natural cubic one, all of its
functions at once with a generalised inverse: differences between doses do not depend on the basis."""

import numpy as np
import statsmodels.api as sm
from econml.dml import LinearDML
from patsy import dmatrix
from sklearn.linear_model import LinearRegression

from common import generated, save, software

frame = generated("dose_response")
d, y, part = frame.d.to_numpy(), frame.y.to_numpy(), frame.part.to_numpy()
X = np.column_stack([np.ones(len(d)), frame.x1, frame.x2])


def left(target, w):
    out = np.empty(len(target))
    for k in range(3):
        o = part != k
        root = np.sqrt(w[o])
        out[~o] = target[~o] - X[~o] @ np.linalg.lstsq(X[o] * root[:, None], target[o] * root, rcond=None)[0]
    return out


def projected(w):
    features = left(d, w)[:, None] * X
    fit = sm.WLS(left(y, w), features, weights=w)
    clustered = fit.fit(cov_type="cluster", cov_kwds={"groups": part})
    return {"estimate": clustered.params, "clustered": clustered.bse, "hc3": fit.fit(cov_type="HC3").bse}


def bent(w, knots, doses, rows):
    k = np.quantile(d, np.linspace(0.05, 0.95, knots))
    spline = lambda v: np.asarray(dmatrix("cr(v, knots=k, lower_bound=a, upper_bound=b) - 1", {"v": v, "k": k[1:-1], "a": k[0], "b": k[-1]}))
    B = np.column_stack([left(column, w) for column in spline(d).T])
    wide = lambda B, X: (B[:, :, None] * X[:, None, :]).reshape(len(B), -1)
    Z, target = wide(B, X), left(y, w)
    inverse = np.linalg.pinv(Z.T @ (w[:, None] * Z), rcond=1e-10)
    gamma = inverse @ Z.T @ (w * target)
    score = (w * (target - Z @ gamma))[:, None] * Z
    groups = np.array([score[part == g].sum(0) for g in range(3)])
    n, p = len(d), 3 * (knots - 1)
    covariance = 1.5 * (n - 1) / (n - p) * inverse @ groups.T @ groups @ inverse
    gap = spline(np.array(doses))
    at = wide(np.tile(gap[1] - gap[0], (len(rows), 1)), np.column_stack([np.ones(len(rows)), rows]))
    return {"effect": at @ gamma, "error": np.sqrt(np.einsum("ij,jk,ik->i", at, covariance, at))}


one, weight = np.ones(len(d)), frame.weight.to_numpy(float)
found = projected(one)
folds = [(np.where(part != k)[0], np.where(part == k)[0]) for k in range(3)]
econ = LinearDML(model_y=LinearRegression(), model_t=LinearRegression(), cv=folds, random_state=1)
econ.fit(y, d, X=X[:, 1:], inference="statsmodels")
assert np.allclose(np.append(econ.intercept_, econ.coef_), found["estimate"], rtol=1e-9), (econ.intercept_, econ.coef_, found)
doses, rows = [-0.5, 1.2], np.array([[0.0, 0.0], [1.0, -0.5], [-1.3, 0.4]])
save(
    "dose_effects",
    source=software("numpy", "statsmodels", "econml", "patsy", "scikit-learn"),
    data=["tests/reference/dose_response.csv"],
    tolerance=1e-8,
    note="Coefficients of the dose, dose times x1, dose times x2; errors clustered by part (G/(G-1) (n-1)/(n-k)) and HC3; means given the features of all rows, for the latter; "
    "effects of the second dose against the first at `rows` of x1, x2 by a spline of 4 knots.",
    values={
        "plain": projected(one),
        "weighted": projected(weight),
        "means": {"y": y - left(y, one), "d": d - left(d, one)},
        "doses": doses,
        "rows": rows,
        "bent": bent(one, 4, doses, rows),
        "bent_weighted": bent(weight, 4, doses, rows),
    },
)
