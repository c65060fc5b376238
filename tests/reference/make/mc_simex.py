"""mc_simex.json: regressions on a class that is labelled wrongly, and of one, by simulation and extrapolation written down here with numpy and fits by statsmodels.

`rows` holds what is analysed. `curve` are mean estimates over `draws` data sets at the powers 0, 0.5, 1, 1.5, 2 of the matrix, `errors` the standard errors of these means, `estimates` the quadratic extrapolation,
`jackknife` the extrapolated variances (HC1 within, less between data sets). Powers are fractional ones of scipy; columns of matrices are truths."""

import numpy as np
import statsmodels.api as sm
from scipy.linalg import fractional_matrix_power

from common import save, software

LEVELS = [0.5, 1.0, 1.5, 2.0]
DRAWS = 2000


def fit(model, y, x):
    if model == "linear":
        f = sm.OLS(y, x).fit(cov_type="HC1")
        return f.params, f.cov_params()
    f = sm.Logit(y, x).fit(disp=0)
    score = f.model.score_obs(f.params)
    bread = np.linalg.inv(-f.model.hessian(f.params))
    n, k = x.shape
    return f.params, bread @ (score.T @ score) @ bread * n / (n - k)


def worse(codes, power, rng):
    out = np.empty_like(codes)
    for k in range(len(power)):
        own = codes == k
        out[own] = rng.choice(len(power), size=own.sum(), p=power[:, k] / power[:, k].sum())
    return out


def simex(model, codes, matrix, build, rng):
    curve, errors, variances = [], [], []
    first = fit(model, *build(codes))
    curve.append(first[0])
    errors.append(np.zeros_like(first[0]))
    variances.append(first[1])
    for level in LEVELS:
        power = fractional_matrix_power(matrix, level).real
        fits = [fit(model, *build(worse(codes, power, rng))) for _ in range(DRAWS)]
        b = np.array([f[0] for f in fits])
        curve.append(b.mean(axis=0))
        errors.append(b.std(axis=0, ddof=1) / np.sqrt(DRAWS))
        variances.append(np.mean([f[1] for f in fits], axis=0) - np.cov(b.T))
    v = np.vander([0.0] + LEVELS, 3, increasing=True)
    weights = np.linalg.pinv(v).T @ np.array([1.0, -1.0, 1.0])
    return {
        "curve": np.array(curve),
        "errors": np.array(errors),
        "estimates": weights @ np.array(curve),
        "weights": weights,
        "jackknife": np.diag(np.tensordot(weights, np.array(variances), 1)),
    }


if __name__ == "__main__":
    rng = np.random.default_rng(5)
    n = 300
    x = rng.standard_normal(n).round(4)
    two = np.array([[0.9, 0.15], [0.1, 0.85]])
    three = np.array([[0.85, 0.1, 0.05], [0.1, 0.8, 0.1], [0.05, 0.1, 0.85]])
    truth = (rng.uniform(size=n) < 0.4).astype(int)
    label = worse(truth, two, rng)
    group = worse(rng.integers(0, 3, n), three, rng)
    y = (1 + truth + 0.5 * x + 0.7 * rng.standard_normal(n)).round(4)
    b = (rng.uniform(size=n) < 1 / (1 + np.exp(-(0.2 + truth - 0.5 * x)))).astype(int)
    wrong = worse(b, two, rng)
    one = np.ones(n)
    values = {
        "rows": {"y": y, "x": x, "label": label, "group": group, "wrong": wrong},
        "two": two,
        "three": three,
        "linear": simex("linear", label, two, lambda c: (y, np.column_stack([one, c, x])), rng),
        "groups": simex("linear", group, three, lambda c: (y, np.column_stack([one, c == 1, c == 2]).astype(float)), rng),
        "logit": simex("logit", label, two, lambda c: (wrong, np.column_stack([one, c, x])), rng),
        "outcome": simex("logit", wrong, two, lambda c: (c, np.column_stack([one, label, x])), rng),
    }
    save(
        "mc_simex",
        values=values,
        source=software("statsmodels", "scipy", "numpy"),
        data=["in the fixture"],
        tolerance=5,
        note=f"Compared within five Monte Carlo errors; {DRAWS} data sets a level.",
    )
