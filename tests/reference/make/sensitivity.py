"""sensitivity.json: omitted variables of regressions (PySensemakr), omitted confounders of effects with given nuisances (DoubleML),
bounds under the marginal sensitivity model (linear programmes of scipy).

DoubleML scales its score of the effect by the mean derivative, which is negative, and subtracts from it the score of the bias: the standard error of its lower bound
is that of the upper one and the reverse. `exchanged` shows it: both by a bootstrap of the rows (20 000 draws), lower first. Its robustness values minimise a square: they
have about half as many digits as the rest, and are found here again by a root."""

import numpy as np
import pandas as pd
import sensemakr as smkr
import statsmodels.api as sm
import statsmodels.formula.api as smf
from doubleml import DoubleMLData, DoubleMLIRM, DoubleMLPLR
from doubleml.utils.gain_statistics import gain_statistics
from scipy.optimize import brentq, linprog, minimize
from scipy.stats import norm
from sklearn.linear_model import LinearRegression, LogisticRegression

from common import save, software


def regressions():
    d = pd.read_csv("datasets/card.csv.gz")
    fit = smf.ols("lwage ~ educ + exper + I(exper**2) + black + south + smsa", d).fit()
    out = {"estimate": [fit.params["educ"], fit.bse["educ"], fit.df_resid]}
    out["partial_r2"] = float(smkr.partial_r2(fit, "educ"))
    out["rv"] = [float(smkr.robustness_value(fit, "educ", q=q).iloc[0]) for q in [1, 0.5, 2]]
    out["rv_at"] = [float(smkr.robustness_value(fit, "educ", q=q, alpha=a).iloc[0]) for q, a in [(1, 0.05), (0.5, 0.05), (1, 0.5)]]
    out["rv_wide"] = float(smkr.robustness_value(t_statistic=40.0, dof=12, q=1, alpha=0.05).iloc[0])
    grid = [(0.05, 0.05), (0.2, 0.4), (0.5, 0.9)]
    out["adjusted"] = [
        [
            float(np.ravel(smkr.adjusted_estimate(model=fit, treatment="educ", r2dz_x=x, r2yz_dx=y))[0]),
            float(np.ravel(smkr.adjusted_se(model=fit, treatment="educ", r2dz_x=x, r2yz_dx=y))[0]),
        ]
        for x, y in grid
    ]
    out["benchmarks"] = {}
    for name, covariates in [("smsa", ["smsa"]), ("region", [["black", "south"]])]:
        bounds = smkr.ovb_bounds(fit, "educ", benchmark_covariates=covariates, kd=[1, 2, 3], ky=[1, 2, 3])
        out["benchmarks"][name] = bounds[["r2dz_x", "r2yz_dx", "adjusted_estimate", "adjusted_se"]].to_numpy(float).tolist()
    bounds = smkr.ovb_bounds(fit, "educ", benchmark_covariates=["smsa"], kd=[2], ky=[5])
    out["unequal"] = bounds[["r2dz_x", "r2yz_dx", "adjusted_estimate", "adjusted_se"]].to_numpy(float).ravel().tolist()
    return out


def analysis(model):
    out = []
    for cf_y, cf_d, rho in [(0.03, 0.03, 1.0), (0.1, 0.05, -0.7)]:
        model.sensitivity_analysis(cf_y=cf_y, cf_d=cf_d, rho=rho, level=0.95)
        s = model.sensitivity_params
        strength = abs(rho) * np.sqrt(cf_y * cf_d / (1 - cf_d))
        out.append([*s["theta"]["lower"], *s["theta"]["upper"], *s["se"]["lower"], *s["se"]["upper"]])
    e = model.framework.sensitivity_elements
    psi, bias, psi_bias = -model.framework.scaled_psi[:, 0, 0], e["max_bias"].item(), e["psi_max_bias"][:, 0, 0]
    theta = model.coef[0]

    def lower(c, level):
        k = c / np.sqrt(1 - c)
        return theta - k * bias - norm.ppf(level) * np.sqrt(np.mean((psi - k * psi_bias) ** 2) / len(psi))

    rv = brentq(lambda c: theta - c / np.sqrt(1 - c) * bias, 0, 0.9999, xtol=1e-15)
    rva = brentq(lambda c: lower(c, 0.95), 0, 0.9999, xtol=1e-15)
    model.sensitivity_analysis(cf_y=0.03, cf_d=0.03, rho=1.0, level=0.95)
    return {"effect": [theta, model.se[0]], "bounds": out, "rv": [rv, rva], "rv_doubleml": [*model.sensitivity_params["rv"]], "max_bias": bias, "last_strength": strength}


def confounders():
    d = pd.read_csv("tests/reference/causal.csv")
    d["l"] = (1 - d["e"]) * d["m0"] + d["e"] * d["m1"]
    data = DoubleMLData(d, y_col="y", d_cols="w", x_cols=["x1", "x2"])
    column = lambda name: d[name].to_numpy()[:, None]
    plr = DoubleMLPLR(data, LinearRegression(), LinearRegression(), n_folds=2)
    plr.fit(external_predictions={"w": {"ml_l": column("l"), "ml_m": column("e")}})
    poor = DoubleMLPLR(data, LinearRegression(), LinearRegression(), n_folds=2)
    poor.fit(external_predictions={"w": {"ml_l": column("m0"), "ml_m": np.full((len(d), 1), 0.5)}})
    gain = gain_statistics(plr, poor)
    irm = DoubleMLIRM(data, LinearRegression(), LogisticRegression(), n_folds=2)
    irm.fit(external_predictions={"w": {"ml_g0": column("m0"), "ml_g1": column("m1"), "ml_m": column("e")}})
    treated = DoubleMLIRM(data, LinearRegression(), LogisticRegression(), n_folds=2, score="ATTE")
    treated.fit(external_predictions={"w": {"ml_g0": column("m0"), "ml_g1": column("m1"), "ml_m": column("e")}})
    # The bounds of the average effect over resampled rows.
    rng = np.random.default_rng(1)
    y, w, e = (d[c].to_numpy() for c in ["y", "w", "e"])
    g = np.where(w == 1, d["m1"], d["m0"])
    effect = d["m1"] - d["m0"] + (y - g) * (w / e - (1 - w) / (1 - e))
    sigma = (y - g) ** 2
    nu = 2 * (1 / e + 1 / (1 - e)) - (w / e - (1 - w) / (1 - e)) ** 2
    k = np.sqrt(0.3 * 0.3 / 0.7)
    drawn, on_treated = [], []
    nu_treated = w * (1 + 2 * e / (1 - e)) - (1 - w) * (e / (1 - e)) ** 2
    top = (y - d["m0"].to_numpy()) * (w - (1 - w) * e / (1 - e))
    for _ in range(20000):
        i = rng.integers(0, len(y), len(y))
        s = np.sqrt(np.mean(sigma[i]) * np.mean(nu[i]))
        p = w[i].mean()
        t, s_treated = top[i].mean() / p, np.sqrt(np.mean(sigma[i]) * np.mean(nu_treated[i])) / p
        on_treated.append([t - k * s_treated, t + k * s_treated])
        drawn.append([np.mean(effect.to_numpy()[i]) - k * s, np.mean(effect.to_numpy()[i]) + k * s])
    return {"plr": analysis(plr), "irm": analysis(irm), "gain": [float(np.ravel(gain[k])[0]) for k in ["cf_y", "cf_d", "rho", "delta_theta"]], "exchanged": np.std(drawn, axis=0).tolist(), "treated": analysis(treated), "treated_errors": np.std(on_treated, axis=0).tolist()}


def marginal():
    """Bounds of means by inverse propensities as linear programmes (Charnes & Cooper): weights t w_i (1 + z_i / o_i), z_i from 1/L to L, that sum to one."""
    d = pd.read_csv("tests/reference/causal.csv").head(120)
    x = sm.add_constant(d[["x1", "x2"]])
    e = sm.Logit(d["w"], x).fit(disp=0, tol=1e-14).predict(x).to_numpy()
    y, w = d["y"].to_numpy(), d["w"].to_numpy()

    def mean(arm, certain, factor, lam, sign):
        rows = w == arm
        c, f, v = certain[rows], factor[rows], y[rows]
        n = len(v)
        # Variables: q_i = t z_i, then t. Maximise sign * sum v (c t + f q).
        cost = -sign * np.append(f * v, c @ v)
        equal = np.append(f, c.sum())[None, :]
        upper = np.vstack([np.column_stack([np.eye(n), -lam * np.ones(n)]), np.column_stack([-np.eye(n), np.ones(n) / lam])])
        fit = linprog(cost, A_ub=upper, b_ub=np.zeros(2 * n), A_eq=equal, b_eq=[1], bounds=(0, None), method="highs")
        return -sign * fit.fun

    def sharp(arm, certain, factor, lam, sign):
        """Weights that balance the terms of the propensity (Dorn & Guo): sum f z h = sum f h."""
        rows = w == arm
        c, f, v, h = certain[rows], factor[rows], y[rows], x.to_numpy(float)[rows]
        total = c.sum() + f.sum()
        if not f.any():
            return c @ v / total
        fit = linprog(-sign * f * v, A_eq=(f[:, None] * h).T, b_eq=f @ h, bounds=(1 / lam, lam), method="highs")
        return (c @ v - sign * fit.fun) / total

    one, none = np.ones(len(y)), np.zeros(len(y))
    odds = np.where(w == 1, (1 - e) / e, e / (1 - e))
    parts = {
        "ate": lambda arm: (one, odds),
        "att": lambda arm: (one, none) if arm == 1 else (none, odds),
        "atc": lambda arm: (one, none) if arm == 0 else (none, odds),
    }
    def bounds(of, part):
        out = []
        for lam in [1.0, 1.3, 2.5]:
            treated = [of(1, *part(1), lam, s) for s in [-1, 1]]
            control = [of(0, *part(0), lam, s) for s in [-1, 1]]
            out.append([treated[0] - control[1], treated[1] - control[0]])
        return out

    out = {name: bounds(mean, part) for name, part in parts.items()}
    out["sharp"] = {name: bounds(sharp, part) for name, part in parts.items()}
    return out


def empirical_null():
    """Maximum likelihood of the bias of negative controls (Schuemie et al. 2014), and calibrated p-values."""
    rng = np.random.default_rng(4)
    s = rng.uniform(0.05, 0.3, 25)
    b = 0.15 + 0.2 * rng.standard_normal(25) + s * rng.standard_normal(25)
    spread = lambda t: np.exp(2 * t[1]) + s**2
    loss = lambda t: 0.5 * np.sum(np.log(spread(t)) + (b - t[0]) ** 2 / spread(t))
    fit = minimize(loss, [b.mean(), np.log(b.std())], method="BFGS", options={"gtol": 1e-12})
    fit = minimize(loss, fit.x, method="Nelder-Mead", options={"xatol": 1e-12, "fatol": 1e-15, "maxiter": 10000})
    mu, sigma = fit.x[0], np.exp(fit.x[1])
    cases = [(0.5, 0.1), (-0.2, 0.05), (0.15, 0.3)]
    p = [2 * norm.sf(abs(e - mu) / np.hypot(sigma, se)) for e, se in cases]
    return {"estimates": b, "errors": s, "null": [mu, sigma], "cases": cases, "p": p}


if __name__ == "__main__":
    save(
        "sensitivity",
        values={"regressions": regressions(), "confounders": confounders(), "marginal": marginal(), "empirical_null": empirical_null()},
        source=software("PySensemakr", "DoubleML", "statsmodels", "scipy", "numpy", "pandas"),
        data=["datasets/card.csv.gz", "tests/reference/causal.csv"],
        tolerance=1e-9,
        note="Bounds: lower, upper, the standard errors of DoubleML for lower and upper, which are exchanged (see the maker) and without n/(n - 1); rv by a root, rv_doubleml as printed.",
    )
