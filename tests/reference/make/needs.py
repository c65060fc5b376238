"""Reference values of needs-discovery curves and of the expectation surface. Run from the root of the repository:
python3 tests/reference/make/needs.py  (numpy, scipy, pandas and statsmodels; versions are written into the fixtures)

Writes tests/reference/needs.json, expectations.csv (data made here) and expectations.json.
"""
import datetime
import json
import sys

import numpy as np
import pandas as pd
import scipy
import scipy.stats as st
import statsmodels
import statsmodels.api as sm
from scipy.optimize import brentq, minimize
from scipy.special import betaln, binom

versions = f"numpy {np.__version__}, scipy {scipy.__version__}, Python {sys.version.split()[0]}"
z = st.norm.ppf(0.975)


def numeric_gradient(f, x, floor=1.0):
    """Five-point differences."""
    x = np.asarray(x, float)
    out = np.zeros(len(x))
    for i in range(len(x)):
        h = 1e-3 * max(abs(x[i]), floor)
        e = np.zeros(len(x))
        e[i] = h
        out[i] = (8 * (f(x + e) - f(x - e)) - (f(x + 2 * e) - f(x - 2 * e))) / (12 * h)
    return out


def lognormal(s, total, se):
    u = total - s
    k = np.exp(z * np.sqrt(np.log(1 + se**2 / u**2)))
    return [total, se, s + u / k, s + u * k]


def unseen(q, t):
    a = (t - 1) / t
    return a * q[0] ** 2 / (2 * q[1]) if q[1] > 0 else a * q[0] * (q[0] - 1) / 2


def curve(q, t, m):
    s = q.sum()
    if m <= t:
        return s - sum(q[k - 1] * binom(t - k, m) / binom(t, m) for k in range(1, t + 1) if k <= t - m)
    u = unseen(q, t)
    return s + u * (1 - (1 - q[0] / (t * u + q[0])) ** (m - t))


def coverage(q, t):
    pairs = sum((k + 1) * v for k, v in enumerate(q))
    return 1 - q[0] / pairs * (t - 1) * q[0] / ((t - 1) * q[0] + 2 * q[1])


def with_error(f, q, t):
    """Delta method: multinomial counts among the estimated number of classes."""
    used = np.nonzero(q)[0]

    def of(x):
        full = np.zeros(len(q))
        full[used] = x
        return f(full, t)

    g = numeric_gradient(of, q[used])
    v = g**2 @ q[used] - (g @ q[used]) ** 2 / (q.sum() + unseen(q, t))
    return [f(q, t), v**0.5]


def interviews_for(share):
    def of(q, t):
        target = share * (q.sum() + unseen(q, t))
        return brentq(lambda m: curve(q, t, m) - target, 1, 100 * t, xtol=1e-12, rtol=1e-14)

    return of


def case(voiced, t, total=None):
    voiced = np.asarray(voiced)
    q = np.array([(voiced == k).sum() for k in range(1, t + 1)], float)
    s, a = q.sum(), (t - 1) / t
    q1, q2 = q[0], q[1]
    r = q1 / q2
    classic = s + unseen(q, t), (q2 * (a / 2 * r**2 + a**2 * r**3 + a**2 / 4 * r**4)) ** 0.5
    bc = s + a * q1 * (q1 - 1) / (2 * (q2 + 1))
    var = (
        a * q1 * (q1 - 1) / (2 * (q2 + 1))
        + a**2 * q1 * (2 * q1 - 1) ** 2 / (4 * (q2 + 1) ** 2)
        + a**2 * q1**2 * q2 * (q1 - 1) ** 2 / (4 * (q2 + 1) ** 4)
    )
    out = {
        "voiced_by": [int(v) for v in voiced],
        "interviews": t,
        "chao2": lognormal(s, *classic),
        "chao2_bc": lognormal(s, bc, var**0.5),
        "coverage": with_error(coverage, q, t),
        "curve": [[m, *with_error(lambda q, t: curve(q, t, m), q, t)] for m in (1, t // 2, t, 2 * t)],
        "interviews_for_90": with_error(interviews_for(0.9), q, t),
    }
    if total is None:
        return out
    k = np.arange(1, t + 1)

    def silent(x, n):
        return np.exp(betaln(np.exp(x[0]), np.exp(x[1]) + n) - betaln(np.exp(x[0]), np.exp(x[1])))

    def loss(x, of=None):
        al, be = np.exp(x)
        ll = q @ (betaln(al + k, be + t - k) - betaln(al, be))
        if of is None:
            return -(ll - s * np.log1p(-silent(x, t)))
        return -(ll + (of - s) * np.log(silent(x, t)))

    def fit(of=None):
        x = minimize(loss, [0, 1.5], args=(of,), method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 10000}).x
        h = np.array([numeric_gradient(lambda y, i=i: numeric_gradient(lambda w: loss(w, of), y)[i], x) for i in range(2)])
        for _ in range(5):  # polish with Newton steps
            x = x - np.linalg.solve(h, numeric_gradient(lambda w: loss(w, of), x))
        h = np.array([numeric_gradient(lambda y, i=i: numeric_gradient(lambda w: loss(w, of), y)[i], x) for i in range(2)])
        return x, np.linalg.inv((h + h.T) / 2)

    x, v = fit()

    def by_delta(f):
        g = numeric_gradient(f, x)
        return f(x), (g @ v @ g) ** 0.5

    n, se = by_delta(lambda x: s / (1 - silent(x, t)))
    p = silent(x, t)
    share = by_delta(lambda x: 1 - silent(x, 30))
    need = by_delta(lambda x: brentq(lambda m: silent(x, m) - 0.1, 0.01, 1e5, xtol=1e-12, rtol=1e-14))
    out["beta_binomial"] = [*x, *np.diag(v) ** 0.5, -loss(x), n, (se**2 + s * p / (1 - p) ** 2) ** 0.5, *share, *need]
    x, v = fit(total)
    out["of"] = total
    out["beta_binomial_of"] = [*x, *np.diag(v) ** 0.5]
    return out


rng = np.random.default_rng(1993)
p = rng.beta(1.5, 8, 150)
voiced = rng.binomial(20, p)
cases = [
    case([14, 9, 7, 5, 4, 3, 3, 2, 2, 2, 1, 1, 1, 1, 1], 24),
    case(voiced[voiced > 0], 20, 150),
]


def finite(v):
    if isinstance(v, dict):
        return {k: finite(x) for k, x in v.items()}
    if isinstance(v, list):
        return [finite(x) for x in v]
    return v.item() if hasattr(v, "item") else v


def write(name, record):
    with open(f"tests/reference/{name}.json", "w") as f:
        json.dump(finite(record), f, indent=1)
        f.write("\n")


write(
    "needs",
    {
        "source": versions,
        "command": "python3 tests/reference/make/needs.py",
        "date": datetime.date.today().isoformat(),
        "data": "in the fixture",
        "tolerance": 2e-6,
        "note": "Chao2 by its published formulas; the curve by binomial coefficients; beta-binomial by Nelder–Mead and Newton steps on betaln; errors by numerical derivatives.",
        "values": cases,
    },
)

# The expectation surface.
n = 500
d = pd.DataFrame({"store": np.arange(n) // 10, "expectation": rng.integers(1, 8, n), "age": rng.integers(18, 80, n)})
d["performance"] = np.clip(np.round(0.4 * d.expectation + 2.6 + rng.normal(size=n) * 1.3), 1, 7)
e, p = d.expectation - 4, d.performance - 4
store = rng.normal(size=50)[d.store] * 0.3
d["satisfaction"] = (4 - 0.1 * e + 0.5 * p - 0.25 * e * e + 0.15 * e * p - 0.2 * p * p - 0.4 * np.maximum(e - p, 0) + 0.01 * d.age + store + rng.normal(size=n)).round(4)
d.to_csv("tests/reference/expectations.csv", index=False)
d = pd.read_csv("tests/reference/expectations.csv")
e, p = d.expectation - 4, d.performance - 4
x = np.column_stack([e, p, e * e, e * p, p * p, np.maximum(e - p, 0), d.age, np.ones(n)])
model = sm.OLS(d.satisfaction, x)
fit = model.fit(cov_type="HC1", use_t=True)
b, v = fit.params.to_numpy(), np.asarray(fit.cov_params())


def delta(f):
    g = numeric_gradient(f, b, 0.01)
    return [f(b), (g @ v @ g) ** 0.5]


def stationary(b):
    m = np.array([[2 * b[2], b[3]], [b[3], 2 * b[4]]])
    return np.linalg.solve(m, -b[:2])


def axis(which):
    """Slope of a principal axis: an eigenvector of the matrix of the quadratic form; the first has the larger eigenvalue."""

    def of(b):
        m = np.array([[b[2], b[3] / 2], [b[3] / 2, b[4]]])
        _, vectors = np.linalg.eigh(m)
        w = vectors[:, 1 if which == 0 else 0]
        return w[1] / w[0]

    return of


def intercept(which):
    return lambda b: stationary(b)[1] - axis(which)(b) * stationary(b)[0]


features = [
    lambda b: b[0] + b[1],
    lambda b: b[2] + b[3] + b[4],
    lambda b: b[0] - b[1],
    lambda b: b[2] - b[3] + b[4],
    lambda b: stationary(b)[0],
    lambda b: stationary(b)[1],
    axis(0),
    intercept(0),
    axis(1),
    intercept(1),
]
r = np.zeros((5, 8))
r[0, :2] = 1
for i in range(1, 5):
    r[i, i + 1] = 1
g = np.array([1, -1, 1, -1, 1, 2, 0, 0.0])
by = model.fit(cov_type="cluster", cov_kwds={"groups": d.store}, use_t=True)
write(
    "expectations",
    {
        "source": f"statsmodels {statsmodels.__version__}, {versions}",
        "command": "python3 tests/reference/make/needs.py",
        "date": datetime.date.today().isoformat(),
        "data": "tests/reference/expectations.csv",
        "tolerance": 1e-6,
        "note": "OLS with HC1 and clustered errors; features by numpy (stationary point by solving, axes by eigenvectors) with numerical derivatives.",
        "values": {
            "coefficients": [c for j in range(6) for c in (b[j], fit.bse.iloc[j])],
            "features": [delta(f) for f in features],
            "difference_f": float(np.squeeze(fit.f_test(r).fvalue)),
            # At E = P = 5, one above the center.
            "loss_aversion": delta(lambda b: 1 - b[5] / (b[1] + b[3] + 2 * b[4])),
            "clustered": list(by.bse.iloc[:6]),
            # (5, 3): e = 1, p = −1.
            "point": [g @ b, (g @ v @ g) ** 0.5],
        },
    },
)
