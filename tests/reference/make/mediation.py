"""mediation.json: natural direct and indirect effects of all pairs of models, with and without interaction.

Coefficients and their covariances are those of statsmodels; means over the mediator are integrals by the trapezoidal rule (or sums over 0 and 1), written down here;
standard errors are by a central difference of them and the spread over rows. `simulated` is statsmodels' own Mediation (parametric, 200 draws): estimate, lower, upper of ACME and ADE, averages."""

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.optimize import least_squares
from scipy.special import expit
from scipy.stats import norm
from statsmodels.stats.mediation import Mediation

from common import generated, save, software

NODES = np.linspace(-9, 9, 401)
WEIGHTS = 18 / 400 * norm.pdf(NODES)
G = {"linear": lambda x: x, "probit": norm.cdf, "logit": expit}


def fit(model, y, x):
    if model == "linear":
        f = sm.OLS(y, x).fit(cov_type="HC1")
        return f.params, f.cov_params(), f.mse_resid, f.df_resid
    f = (sm.Probit if model == "probit" else sm.Logit)(y, x).fit(disp=0, tol=1e-14, method="newton", maxiter=100)
    # The sandwich with n/(n - k).
    score = f.model.score_obs(f.params)
    bread = np.linalg.inv(-f.model.hessian(f.params))
    n, k = x.shape
    return f.params, bread @ (score.T @ score) @ bread * n / (n - k), None, None


def means(theta, p, q, mediator, outcome, interaction, x2):
    a, b, sigma = theta[:p], theta[p : p + q], theta[p + q] if len(theta) > p + q else None
    out = []
    for t in [0, 1]:
        for other in [0, 1]:
            index = a[0] + a[1] * other + a[2] * x2
            slope = b[2] + (b[4] * t if interaction else 0.0)
            level = b[0] + b[1] * t + b[3] * x2
            g = G[outcome]
            if mediator != "linear":
                share = G[mediator](index)
                v = share * g(level + slope) + (1 - share) * g(level)
            elif outcome == "linear":
                v = level + slope * index
            else:
                v = g(level[:, None] + slope * (index[:, None] + sigma * NODES)) @ WEIGHTS
            out.append(v)
    return np.array(out)


L = np.array([[-1, 1, 0, 0], [0, 0, -1, 1], [-1, 0, 1, 0], [0, -1, 0, 1], [-1, 0, 0, 1], [-0.5, 0.5, -0.5, 0.5], [-0.5, -0.5, 0.5, 0.5]])


def case(mediator, outcome, interaction, d):
    m = d["m"] if mediator == "linear" else (d["m"] > 0.2).astype(float)
    y = d["y"] if outcome == "linear" else (d["y"] > 0.5).astype(float)
    one = np.ones(len(d))
    xm = np.column_stack([one, d["w"], d["x2"]])
    columns = [one, d["w"], m, d["x2"]] + ([d["w"] * m] if interaction else [])
    xy = np.column_stack(columns)
    (a, va, s2, df), (b, vb, _, _) = fit(mediator, m.to_numpy(), xm), fit(outcome, y.to_numpy(), xy)
    theta = np.concatenate([a, b] + ([[np.sqrt(s2)]] if s2 is not None else []))
    p, q, x2 = len(a), len(b), d["x2"].to_numpy()
    f = lambda t: means(t, p, q, mediator, outcome, interaction, x2)
    at = f(theta)
    jac = np.empty((4, len(theta)))
    for k in range(len(theta)):
        h = np.zeros(len(theta))
        h[k] = 1e-4
        jac[:, k] = (8 * (f(theta + h) - f(theta - h)) - (f(theta + 2 * h) - f(theta - 2 * h))).mean(axis=1) / 12e-4
    spread = np.zeros((len(theta), len(theta)))
    spread[:p, :p], spread[p : p + q, p : p + q] = va, vb
    if s2 is not None:
        spread[-1, -1] = s2 / (2 * df)
    cov = jac @ spread @ jac.T + np.cov(at, ddof=0) / len(d)
    return {"effects": L @ at.mean(axis=1), "errors": np.sqrt(np.diag(L @ cov @ L.T))}


RHO = [-0.4, 0.0, 0.3, 0.7]


def correlated(outcome, interaction, rho, d):
    """Effects when the errors of both models correlate by rho: for linear outcomes generalised least squares of both equations, repeated until the errors' standard deviations stay (as medsens does it), for probits maximum
    likelihood given the mediator's equation; means over the mediator's error by the trapezoidal rule."""
    m, y = d["m"].to_numpy(), (d["y"] if outcome == "linear" else (d["y"] > 0.5).astype(float)).to_numpy()
    one, w, x2 = np.ones(len(d)), d["w"].to_numpy(float), d["x2"].to_numpy()
    xm = np.column_stack([one, w, x2])
    xy = np.column_stack([one, w, m, x2] + ([w * m] if interaction else []))
    first = sm.OLS(m, xm).fit()
    a, sigma = first.params, np.sqrt(first.mse_resid)
    root = np.sqrt(1 - rho**2)
    if outcome == "linear":
        b = sm.OLS(y, xy).fit().params
        for _ in range(500):
            e2, e3 = m - xm @ a, y - xy @ b
            s = np.array([[e2.std() ** 2, rho * e2.std() * e3.std()], [rho * e2.std() * e3.std(), e3.std() ** 2]])
            i = np.linalg.inv(s)
            gram = np.block([[i[0, 0] * xm.T @ xm, i[0, 1] * xm.T @ xy], [i[1, 0] * xy.T @ xm, i[1, 1] * xy.T @ xy]])
            right = np.concatenate([xm.T @ (i[0, 0] * m + i[0, 1] * y), xy.T @ (i[1, 0] * m + i[1, 1] * y)])
            both = np.linalg.solve(gram, right)
            done = np.abs(both - np.concatenate([a, b])).max() < 1e-14
            a, b = both[: len(a)], both[len(a) :]
            if done:
                break
    else:
        e2 = m - xm @ a
        q = 2 * y - 1

        def score(b):
            t = q * (xy @ b + rho * e2 / sigma) / root
            return xy.T @ (q * np.exp(norm.logpdf(t) - norm.logcdf(t)))

        b = least_squares(score, sm.Probit(y, xy).fit(disp=0).params, xtol=1e-15, ftol=1e-15, gtol=1e-15).x
        assert np.abs(score(b)).max() < 1e-9
    out = []
    for t in [0, 1]:
        for other in [0, 1]:
            index = a[0] + a[1] * other + a[2] * x2
            slope = b[2] + (b[4] * t if interaction else 0.0)
            level = b[0] + b[1] * t + b[3] * x2
            if outcome == "linear":
                v = level + slope * index
            else:
                z = level[:, None] + slope * (index[:, None] + sigma * NODES) + rho * NODES
                v = norm.cdf(z / root) @ WEIGHTS
            out.append(v.mean())
    return L @ np.array(out)


def simulated(d):
    np.random.seed(3)
    y = (d["y"] > 0.5).astype(float)
    data = pd.DataFrame({"y": y, "w": d["w"], "m": d["m"], "x2": d["x2"]})
    outcome = sm.GLM.from_formula("y ~ w + m + x2", data, family=sm.families.Binomial(sm.families.links.Probit()))
    mediator = sm.OLS.from_formula("m ~ w + x2", data)
    s = Mediation(outcome, mediator, "w", "m").fit(n_rep=200).summary()
    return s.loc[["ACME (average)", "ADE (average)"], ["Estimate", "Lower CI bound", "Upper CI bound"]].to_numpy(float)


if __name__ == "__main__":
    d = generated("causal")
    d["m"] = d["x1"] + 0.5 * d["w"]
    models = ["linear", "probit", "logit"]
    values = {f"{m}_{o}_{i}": case(m, o, i == "product", d) for m in models for o in models for i in ["plain", "product"]}
    values["correlated"] = {f"{o}_{i}": [correlated(o, i == "product", rho, d) for rho in RHO] for o in ["linear", "probit"] for i in ["plain", "product"]}
    values["simulated"] = simulated(d)
    save(
        "mediation",
        values=values,
        source=software("statsmodels", "scipy", "numpy", "pandas"),
        data=["tests/reference/causal.csv"],
        tolerance=1e-8,
        note="m = x1 + w/2, treatment w, covariate x2; binary: m > 0.2, y > 0.5. Effects: indirect control, treated; direct control, treated; total; averages. `correlated`: the same at correlations -0.4, 0, 0.3, 0.7 of the errors.",
    )
