"""delta.json: functions of coefficients. Linear restrictions by statsmodels; delta, Fieller and Krinsky-Robb by their formulas."""

import numpy as np
import statsmodels.formula.api as smf
from scipy import stats

from common import dataset, generated, names, save, software

CARD = ("lwage ~ educ + exper + expersq + black + smsa + south + smsa66 + reg662 + reg663 + reg664 + reg665 + reg666 + reg667"
        " + reg668 + reg669")
card = dataset("card")
model = smf.ols(CARD, card)
fits = {"classical": model.fit(), "HC1": model.fit(cov_type="HC1", use_t=True)}
base = fits["classical"]
order = list(base.params.index)


def wald(fit, restrictions):
    r = np.zeros((len(restrictions), len(order)))
    rhs = np.zeros(len(restrictions))
    for i, (terms, value) in enumerate(restrictions):
        for name, weight in terms.items():
            r[i, order.index(name)] = weight
        rhs[i] = value
    f = fit.wald_test((r, rhs), use_f=True, scalar=True)
    c = fit.wald_test((r, rhs), use_f=False, scalar=True)
    t = fit.t_test((r, rhs))
    return dict(restrictions=[dict(terms=a, equals=b) for a, b in restrictions], f=f.statistic, df1=f.df_num, df2=f.df_denom, p_f=f.pvalue,
                chi2=c.statistic, p_chi2=c.pvalue, single=dict(estimate=t.effect, std_error=t.sd, t=t.tvalue, p=t.pvalue, interval_95=t.conf_int()))


RESTRICTIONS = {
    "educ_is_zero": [({"educ": 1}, 0)],
    "educ_is_0.07": [({"educ": 1}, 0.07)],
    "educ_equals_exper": [({"educ": 1, "exper": -1}, 0)],
    "regions_jointly": [({f"reg66{i}": 1}, 0) for i in range(2, 10)],
    "mixed": [({"black": 1, "south": -1}, 0), ({"smsa": 1, "smsa66": 1}, 0.2), ({"educ": 2, "exper": 1}, 0.25)],
}
FUNCTIONS = {
    "turning_point": ("-exper / (2 * expersq)", ["exper", "expersq"], lambda b: -b[0] / (2 * b[1]), lambda b: [-1 / (2 * b[1]), b[0] / (2 * b[1] ** 2)]),
    "exp_minus_one": ("exp(black) - 1", ["black"], lambda b: np.exp(b[0]) - 1, lambda b: [np.exp(b[0])]),
    "ratio": ("black / educ", ["black", "educ"], lambda b: b[0] / b[1], lambda b: [1 / b[1], -b[0] / b[1] ** 2]),
    "product": ("educ * exper", ["educ", "exper"], lambda b: b[0] * b[1], lambda b: [b[1], b[0]]),
    "return_at_ten_years": ("exper + 20 * expersq", ["exper", "expersq"], lambda b: b[0] + 20 * b[1], lambda b: [1, 20]),
}


def delta(fit):
    v = np.asarray(fit.cov_params())
    out = {}
    for label, (text, uses, f, gradient) in FUNCTIONS.items():
        index = [order.index(u) for u in uses]
        b = fit.params.to_numpy()[index]
        g = np.array(gradient(b), float)
        se = float(np.sqrt(g @ v[np.ix_(index, index)] @ g))
        value = float(f(b))
        z = value / se
        half_z, half_t = stats.norm.ppf(0.975) * se, stats.t.ppf(0.975, fit.df_resid) * se
        out[label] = dict(function=text, uses=uses, estimate=value, gradient=g, std_error=se, interval_95_normal=[value - half_z, value + half_z],
                          interval_95_t=[value - half_t, value + half_t], p_normal=2 * stats.norm.sf(abs(z)))
    joint = ["turning_point", "ratio"]
    index = list(range(len(order)))
    jacobian, values = np.zeros((2, len(order))), np.zeros(2)
    for i, label in enumerate(joint):
        _, uses, f, gradient = FUNCTIONS[label]
        place = [order.index(u) for u in uses]
        jacobian[i, place] = gradient(fit.params.to_numpy()[place])
        values[i] = f(fit.params.to_numpy()[place])
    target = np.array([10.0, -2.5])
    chi2 = float((values - target) @ np.linalg.solve(jacobian @ v @ jacobian.T, values - target))
    out["joint_wald"] = dict(functions=joint, equals=target, chi2=chi2, df=2, p_chi2=stats.chi2.sf(chi2, 2),
                             p_f=stats.f.sf(chi2 / 2, 2, fit.df_resid))
    return out


def fieller(a, b, vaa, vab, vbb, level, df):
    """{theta : (a - theta b)^2 <= q^2 (vaa - 2 theta vab + theta^2 vbb)}"""
    q = stats.t.ppf(0.5 + level / 2, df) if np.isfinite(df) else stats.norm.ppf(0.5 + level / 2)
    qa, qb, qc = b**2 - q**2 * vbb, -2 * (a * b - q**2 * vab), a**2 - q**2 * vaa
    disc = qb**2 - 4 * qa * qc
    if qa > 0:
        roots = sorted([(-qb - np.sqrt(disc)) / (2 * qa), (-qb + np.sqrt(disc)) / (2 * qa)])
        shape, intervals = "bounded", [roots]
    elif disc > 0:
        roots = sorted([(-qb - np.sqrt(disc)) / (2 * qa), (-qb + np.sqrt(disc)) / (2 * qa)])
        shape, intervals = "two rays", [[-np.inf, roots[0]], [roots[1], np.inf]]
    else:
        shape, intervals = "whole line", [[-np.inf, np.inf]]
    return dict(numerator=a, denominator=b, var_numerator=vaa, covariance=vab, var_denominator=vbb, level=level, df=df, ratio=a / b, shape=shape, intervals=intervals)


def krinsky_robb():
    rng = np.random.default_rng(11)
    fit = fits["HC1"]
    out = {}
    for label in ("ratio", "exp_minus_one", "turning_point"):
        text, uses, f, _ = FUNCTIONS[label]
        index = [order.index(u) for u in uses]
        v = np.asarray(fit.cov_params())[np.ix_(index, index)]
        draws = rng.standard_normal((4_000_000, len(index))) @ np.linalg.cholesky(v).T + fit.params.to_numpy()[index]
        x = f(draws.T)
        out[label] = dict(function=text, uses=uses, draws=len(x), percentiles={str(p): float(np.percentile(x, p)) for p in (2.5, 5, 50, 95, 97.5)},
                          mean=float(x.mean()), sd=float(x.std()), covariance="HC1", tolerance_relative=0.005)
    return out


save(
    "delta", source=software("statsmodels", "scipy", "numpy"), data=["datasets/card.csv"],
    note="wald: of R b = r with F(q, n - k) and chi-squared(q); single: each row alone, t(n - k). delta: analytic gradients. fieller: quadratic inequality with the t or normal quantile. "
         "krinsky_robb: percentiles of normal draws, relative tolerance 0.005.",
    values=dict(
        formula=CARD, names=names(order), estimates=base.params, df_residual=int(base.df_resid),
        covariance={k: f.cov_params() for k, f in fits.items()},
        wald={k: {label: wald(f, r) for label, r in RESTRICTIONS.items()} for k, f in fits.items()},
        delta={k: delta(f) for k, f in fits.items()},
        fieller=dict(
            card_ratio=fieller(*(lambda b, v: (b["black"], b["educ"], v.loc["black", "black"], v.loc["black", "educ"], v.loc["educ", "educ"]))(base.params, base.cov_params()), 0.95, float(base.df_resid)),
            bounded=fieller(1.2, 0.8, 0.04, 0.01, 0.03, 0.95, 30.0), bounded_normal=fieller(1.2, 0.8, 0.04, 0.01, 0.03, 0.95, np.inf),
            two_rays=fieller(2.0, 0.2, 0.04, -0.01, 0.05, 0.95, 30.0), whole_line=fieller(0.1, 0.1, 0.04, 0.01, 0.05, 0.95, 30.0),
            negative_denominator=fieller(1.5, -0.9, 0.05, 0.02, 0.02, 0.90, 12.0),
        ),
        krinsky_robb=krinsky_robb(),
    ),
)
