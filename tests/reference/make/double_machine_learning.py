"""instrumented.csv and double_machine_learning.json: instruments on given nuisances by DoubleML and linearmodels, targeted means by statsmodels, quantiles by their moment conditions.

Given nuisances are wrong on purpose, since agreement must not depend on their being good. DoubleML's variance is the mean of squared influence functions over n, ours has n/(n - 1) beside."""

import doubleml as dml
import numpy as np
import pandas as pd
import statsmodels.api as sm
from doubleml.utils import DMLDummyClassifier, DMLDummyRegressor
from linearmodels.iv import IV2SLS
from scipy import stats

from common import REFERENCE, generated, save, software


def make_data(n=500):
    rng = np.random.default_rng(20261123)
    x1, x2, hidden = rng.normal(size=(3, n))
    village = rng.integers(0, 30, n)
    local = rng.normal(size=30)[village]
    z = (rng.uniform(size=n) < 1 / (1 + np.exp(-0.5 * x1))).astype(int)
    z2 = 0.5 * x2 + rng.normal(size=n)
    d = 0.8 * z + 0.4 * z2 + x1 + hidden + rng.normal(size=n)
    took = (0.9 * z + hidden + 0.3 * x2 + 0.5 * rng.normal(size=n) > 0.6).astype(int)
    y = 1 + x1 + 0.7 * d + 1.5 * took + hidden + 0.5 * local + rng.normal(size=n)
    columns = dict(
        y=y, d=d, took=took, z=z, z2=z2, x1=x1, x2=x2, village=village, weight=rng.uniform(0.5, 2, n),
        ell=2.3 + 1.6 * x1 + 0.2 * x2, em=0.5 + 0.9 * x1 + 0.1 * x2, ez=0.5 + 0.1 * x1, ez2=0.4 * x2,
        g0=1.6 + 1.5 * x1, g1=2.7 + 1.6 * x1 + 0.2 * x2, r0=0.3 + 0.05 * x2, r1=0.55 + 0.05 * x2,
        pz=1 / (1 + np.exp(-0.4 * x1)),
    )
    pd.DataFrame(columns).round(6).to_csv(REFERENCE / "instrumented.csv", index=False)


column = lambda values: np.asarray(values, float).reshape(-1, 1)


def partially_linear(f):
    data = dml.DoubleMLData(f[["y", "d", "z", "x1", "x2"]], "y", "d", z_cols="z")
    model = dml.DoubleMLPLIV(data, *[DMLDummyRegressor()] * 3)
    given = {"ml_l": column(f.ell), "ml_m": column(f.ez), "ml_r": column(f.em)}
    model.fit(external_predictions={"d": given})
    return [model.coef[0], model.se[0]]


def two_instruments(f, **covariance):
    u, v = f.y - f.ell, f.d - f.em
    z = pd.DataFrame({"z": f.z - f.ez, "z2": f.z2 - f.ez2})
    weights = f.weight if covariance.pop("weighted", False) else None
    fit = IV2SLS(u, None, v.rename("d"), z, weights=weights).fit(**covariance)
    return [fit.params["d"], fit.std_errors["d"]]


def anderson_rubin(u, v, z, level=0.95):
    """Ends of the set {t : (a - t b)^2 <= F (Vaa - 2 t Vab + t^2 Vbb)} for coefficients a, b of u, v on z, HC1 errors."""
    n, zz = len(z), (z * z).sum()
    a, b = (z * u).sum() / zz, (z * v).sum() / zz
    ra, rb = z * (u - a * z) / zz, z * (v - b * z) / zz
    scale = n / (n - 1) * stats.f.ppf(level, 1, n - 1)
    vaa, vab, vbb = scale * (ra * ra).sum(), scale * (ra * rb).sum(), scale * (rb * rb).sum()
    return np.sort(np.roots([b * b - vbb, -2 * (a * b - vab), a * a - vaa]))


def interactive(f):
    data = dml.DoubleMLData(f[["y", "took", "z", "x1", "x2"]], "y", "took", z_cols="z")
    model = dml.DoubleMLIIVM(data, DMLDummyRegressor(), DMLDummyClassifier(), DMLDummyClassifier())
    given = {"ml_g0": column(f.g0), "ml_g1": column(f.g1), "ml_m": column(f.pz), "ml_r0": column(f.r0), "ml_r1": column(f.r1)}
    model.fit(external_predictions={"took": given})
    scores = lambda v, m0, m1: m1 - m0 + f.z * (v - m1) / f.pz - (1 - f.z) * (v - m0) / (1 - f.pz)
    top, bottom = scores(f.y, f.g0, f.g1), scores(f.took, f.r0, f.r1)
    ends = anderson_rubin(top, bottom, np.ones(len(f)))
    return [model.coef[0], model.se[0], bottom.mean(), top.mean(), *ends]


def targeted(f, weighted):
    """Means of both arms and the error of their difference, clustered when weighted."""
    low, high = f.y.min(), f.y.max()
    w = f.weight if weighted else pd.Series(np.ones(len(f)))
    means, influence = [], []
    for arm, mean, e in ((1, f.m1, f.e), (0, f.m0, 1 - f.e)):
        own = (f.w == arm).astype(float)
        share = ((mean - low) / (high - low)).clip(5e-4, 1 - 5e-4)
        offset = np.log(share / (1 - share))
        rows = own == 1
        model = sm.GLM(
            ((f.y - low) / (high - low))[rows], np.ones(rows.sum()), family=sm.families.Binomial(),
            offset=offset[rows], var_weights=(w * own / e)[rows],
        )
        step = model.fit(tol=1e-14, maxiter=200).params.iloc[0]
        moved = low + (high - low) / (1 + np.exp(-offset - step))
        score = moved + own / e * (f.y - moved)
        means.append((w * moved).sum() / w.sum())
        influence.append(w * (score - means[-1]) / w.sum())
    psi = influence[0] - influence[1]
    if weighted:
        psi = psi.groupby(f.village).sum()
    n = len(psi)
    return [*means, np.sqrt((psi**2).sum() * n / (n - 1))]


def quantiles(f, levels, weighted):
    """Difference of quantiles and its error; the distribution given x is the logistic function of a - x1, whatever the guess."""
    w = (f.weight if weighted else pd.Series(np.ones(len(f)))).to_numpy()
    w = w / w.sum()
    found, psi = [], []
    for tau in levels:
        arms = []
        for arm, e in ((1, f.e), (0, 1 - f.e)):
            odds = ((f.w == arm) / e).to_numpy()
            below = (1 / (1 + np.exp(f.x1 - 0.3))).to_numpy()
            score = lambda q: (w * (below + odds * ((f.y <= q) - below))).sum()
            values = np.sort(f.y[f.w == arm].to_numpy())
            q = next(v for v in values if score(v) >= tau)
            s = w * odds / (w * odds).sum()
            mean = (s * f.y).sum()
            order = np.argsort(f.y.to_numpy(), kind="stable")
            order = order[odds[order] > 0]
            cumulated = np.cumsum((w * odds)[order])
            quartile = lambda level: f.y.to_numpy()[order[np.argmax(cumulated >= level * (w * odds).sum())]]
            spread = min(np.sqrt((s * (f.y - mean) ** 2).sum()), (quartile(0.75) - quartile(0.25)) / 1.34)
            width = 0.9 * spread * (s**2).sum() ** 0.2
            density = (s * stats.norm.pdf((f.y - q) / width)).sum() / width
            each = below + odds * ((f.y <= q) - below)
            arms.append((q, -w * (each - (w * each).sum()) / density))
        found.append(arms[0][0] - arms[1][0])
        psi.append(arms[0][1] - arms[1][1])
    psi = pd.DataFrame(np.column_stack(psi))
    if weighted:
        psi = psi.groupby(f.village.to_numpy()).sum()
    n = len(psi)
    covariance = psi.T @ psi * n / (n - 1)
    return [*found, *covariance.to_numpy()[np.tril_indices(len(levels))]]


if not (REFERENCE / "instrumented.csv").exists():
    make_data()
frame, trial = generated("instrumented"), generated("causal")
one = anderson_rubin(frame.y - frame.ell, frame.d - frame.em, frame.z - frame.ez)
save(
    "double_machine_learning",
    source=software("doubleml", "linearmodels", "statsmodels", "scipy", "numpy", "pandas"),
    data=["tests/reference/instrumented.csv", "tests/reference/causal.csv"],
    tolerance=1e-9,
    note="plm_iv: estimate and standard error of DoubleMLPLIV (without n/(n - 1)), then the Anderson-Rubin set. two: 2SLS of linearmodels on residuals, robust; two_clustered: weighted and clustered. "
    "late: DoubleMLIIVM, share of compliers, intention to treat, Anderson-Rubin set. targeted: means under arms 1 and 0, error of the difference. "
    "quantiles: differences at 0.3 and 0.6, then their covariance by rows of the lower triangle.",
    values={
        "plm_iv": [*partially_linear(frame), *one],
        "two": two_instruments(frame, cov_type="robust", debiased=False),
        "two_clustered": two_instruments(frame, weighted=True, cov_type="clustered", clusters=frame.village, debiased=False),
        "late": interactive(frame),
        "targeted": targeted(trial, False),
        "targeted_weighted": targeted(trial, True),
        "quantiles": quantiles(trial, [0.3, 0.6], False),
        "quantiles_weighted": quantiles(trial, [0.3, 0.6], True),
    },
)
