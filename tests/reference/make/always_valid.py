"""Confidence sequences, online false discovery rates, e-values: the papers' formulas written down here, slowly, with 40 digits where that matters.

Numbers printed by other people's software are kept beside ours: confseq's C++ header and unit tests (gostevehoward/confseq), the example pages of R onlineFDR
(dsrobertson/onlineFDR, pkgdown site). The data are formulas of the row number, which the test writes down again.
"""

import mpmath as mp
import numpy as np
from common import save, software
from scipy import optimize, special

mp.mp.dps = 40
values = {}


# --- Mixture boundaries (Howard, Ramdas, McAuliffe & Sekhon 2021, conjugate mixtures) --------------------------------
def best_rho(v, alpha):
    twice = 2 * mp.log(1 / mp.mpf(alpha))
    return v / (twice + mp.log(1 + twice))


def normal(s, v, rho, _):
    return mp.log(rho / (v + rho)) / 2 + s * s / (2 * (v + rho))


def one_sided(s, v, rho, _):
    return mp.log(4 * rho / (v + rho)) / 2 + s * s / (2 * (v + rho)) + mp.log(mp.ncdf(s / mp.sqrt(v + rho)))


def gamma_exponential(s, v, rho, c):
    r, a, x = rho / c**2, (v + rho) / c**2, (c * s + v + rho) / c**2
    # Near one, so that double precision is enough; the large terms are the others.
    lower = lambda k, z: mp.mpf(special.gammainc(float(k), float(z)))
    return (
        r * mp.log(r) - mp.loggamma(r) - mp.log(lower(r, r)) + mp.loggamma(a) + mp.log(lower(a, x)) - a * mp.log(x) + x - r
    )


def bernoulli(s, v, rho, p):
    q = 1 - p
    n = v / (p * q)
    ones, zeros = n * p + s, n * q - s
    k = max(rho - p * q, p * q / 1000)
    part = lambda a, b: mp.log(mp.betainc(a, b, 0, q))
    return part(k / p + zeros, k / q + ones) - part(k / p, k / q) - ones * mp.log(p) - zeros * mp.log(q)


families = {"normal": normal, "one_sided_normal": one_sided, "gamma_exponential": gamma_exponential, "bernoulli": bernoulli}
boundaries = []
for family, planned, tuned, alpha, parameter, vs in [
    ("normal", 1000, "0.05", "0.05", "0", [10, 1000, 1000000]),
    ("one_sided_normal", 1000, "0.05", "0.025", "0", [10, 1000, 1000000]),
    ("gamma_exponential", 1000, "0.05", "0.025", "1", [10, 100, 500, 1000, 5000, 10000, 100000, 1000000]),
    ("gamma_exponential", 100, "0.1", "0.05", "2", [100]),
    ("bernoulli", 100, "0.1", "0.05", "0.2", [100]),
    ("bernoulli", 250, "0.05", "0.025", "0.5", [10, 250, 2500]),
]:
    rho, parameter_m = best_rho(planned, tuned), mp.mpf(parameter)
    for v in vs:
        log_value = lambda s: families[family](s, mp.mpf(v), rho, parameter_m)
        limit = mp.log(1 / mp.mpf(alpha))
        high = mp.sqrt(v + rho)
        most = v / parameter_m if family == "bernoulli" else mp.inf
        while log_value(min(high, most)) < limit and high < most:
            high *= 2
        bound = mp.findroot(lambda s: log_value(s) - limit, (mp.mpf(high) / 2, min(high, most)), solver="anderson", tol=1e-28)
        boundaries.append(
            {
                "family": family, "planned": planned, "tuned": float(tuned), "alpha": float(alpha), "parameter": float(parameter),
                "v": v, "rho": float(rho), "threshold": float(bound), "log_value_at_3": float(log_value(mp.mpf(3))),
            }
        )
values["boundaries"] = boundaries
values["confseq"] = {
    "v": [10, 100, 500, 1000, 5000, 10000, 100000, 1000000],
    "normal": [28.72733015, 38.55054634, 68.95069259, 95.98173584, 222.95292045, 324.17231454, 1126.28978972, 3869.45229667],
    "gamma_exponential": [30.94478285, 40.95850041, 71.76490968, 99.05013085, 226.78653569, 328.42751322, 1132.68756505, 3880.69264194],
    # uniform_boundaries_unittest.cpp: v_opt = v = 100, alpha = 0.05; the logarithm at s = 10, and the bound.
    "unit": {
        "normal": [-0.6510052, 30.35209], "one_sided_normal": [-0.06502391, 27.66071],
        "gamma_exponential": [-0.2490165, 33.02017], "bernoulli": [-0.07134019, 28.41238],
    },
}
# Asymptotic confidence sequence of Waudby-Smith et al., variance 1, tuned for 5 000 rows at 0.05; mSPRT of Johari et al. with V = 2/n, tau^2 = 0.01.
rho2 = float(1 / best_rho(5000, "0.05"))
values["asymptotic"] = {
    str(n): float(np.sqrt(2 * (n * rho2 + 1) / (n * n * rho2) * np.log(np.sqrt(n * rho2 + 1) / 0.05)))
    for n in [100, 1000, 5000, 10000, 100000, 1000000]
}
values["msprt"] = {
    str(n): float(np.sqrt((2 / n) * (2 / n + 0.01) / 0.01 * (2 * np.log(20) + np.log((2 / n + 0.01) / (2 / n)))))
    for n in [100, 1000, 10000, 100000, 1000000]
}

# --- Bounded means: empirical Bernstein row by row and in blocks, and betting -------------------------------------------
i = np.arange(1, 801)
x = ((i * 7919 % 1009) / 1008.0) ** 2
alpha = 0.05
bernstein = []
for cuts in [np.arange(0, 801), np.array([0, 5, 40, 300, 800])]:
    v, total = 0.0, 0.0
    for a, b in zip(cuts[:-1], cuts[1:]):
        guess = total / a if a else 0.5
        v += ((x[a:b] - guess) ** 2).sum()
        total += x[a:b].sum()
    rho = best_rho(1000 * 0.25**2, "0.05")
    f = lambda s: gamma_exponential(mp.mpf(s), mp.mpf(v), rho, mp.mpf(1)) - mp.log(40)
    u = mp.findroot(f, (1, 60), solver="anderson", tol=1e-28)
    bernstein.append({"blocks": cuts.tolist() if len(cuts) < 10 else "rows", "v": v, "lower": float(total / 800 - u / 800), "upper": float(total / 800 + u / 800)})
values["bernstein"] = bernstein

grid = np.linspace(0, 1, 1001)
more, less = np.zeros(1001), np.zeros(1001)
out = np.zeros(1001, dtype=bool)
best, null = 0.0, 0.4
null_more = null_less = 0.0
betting = {}
for t in range(1, 801):
    past = x[: t - 1]
    means = (0.5 + np.cumsum(past)) / (np.arange(1, t) + 1)
    variance = (0.25 + ((past - means) ** 2).sum()) / t
    stake = np.sqrt(2 * np.log(2 / alpha) / (variance * t * np.log(1 + t)))
    with np.errstate(divide="ignore"):
        more += np.log1p(np.minimum(stake, 0.5 / grid) * (x[t - 1] - grid))
        less += np.log1p(-np.minimum(stake, 0.5 / (1 - grid)) * (x[t - 1] - grid))
    null_more += np.log1p(min(stake, 0.5 / null) * (x[t - 1] - null))
    null_less += np.log1p(-min(stake, 0.5 / (1 - null)) * (x[t - 1] - null))
    best = max(best, max(null_more, null_less) - np.log(2))
    out |= np.maximum(more, less) - np.log(2) >= np.log(1 / alpha)
    if t in (50, 200, 800):
        left = np.flatnonzero(~out)
        betting[str(t)] = {
            "lower": max(left[0] - 1, 0) / 1000, "upper": min(left[-1] + 1, 1000) / 1000, "p_value": min(1.0, np.exp(-best)),
            "log_capital": max(null_more, null_less) - np.log(2),
        }
values["betting"] = betting

# --- Quantiles: every count tried -----------------------------------------------------------------------------------------
quantiles = []
y = np.sort(i * 7919 % 1009)
for p in [0.5, 0.9]:
    n = len(y)

    def least(p, n=n):
        rho = float(best_rho(1000 * p * (1 - p), "0.05"))
        k = rho - p * (1 - p)
        part = lambda a, b: special.betaln(a, b) + np.log(special.betainc(a, b, 1 - p))
        m = lambda c: part(k / p + n - c, k / (1 - p) + c) - part(k / p, k / (1 - p)) - c * np.log(p) - (n - c) * np.log(1 - p)
        return next(c for c in range(int(n * p) + 1, n + 1) if m(c) >= np.log(40))

    quantiles.append({"p": p, "estimate": int(y[int(np.ceil(n * p)) - 1]), "lower": int(y[n - least(1 - p)]), "upper": int(y[least(p) - 1])})
values["quantiles"] = quantiles

# --- A proportion: the roots of the mixtures in p ------------------------------------------------------------------------
def too_many(events, rows, p):
    rho = best_rho(1000 * p * (1 - p), "0.05")
    return bernoulli(events - rows * p, rows * p * (1 - p), rho, p) - mp.log(40)


def root(events, rows):
    return mp.findroot(lambda p: too_many(events, rows, p), (mp.mpf(events) / rows / 2, mp.mpf(events) / rows * 0.98), solver="anderson", tol=1e-24)


values["proportion"] = {"events": 37, "rows": 600, "lower": float(root(37, 600)), "upper": float(1 - root(563, 600))}

# --- Linear models: marginal likelihood ratio by generalised least squares, the interval by its roots ----------------------
n, tau2 = 60, 0.3
j = np.arange(1, n + 1)
z = (j % 2).astype(float)
w = np.column_stack([np.ones(n), np.sin(j), (j * 13 % 7) / 3.0])
noise = np.sin(j * j) + 0.2 * np.cos(3 * j)
outcome = 1 + 0.4 * z + w[:, 1] - 0.5 * w[:, 2] + noise


def log_marginal(response, rows, t2, effects=None, others=None):
    effects = np.column_stack([z]) if effects is None else effects
    s = np.eye(rows) + t2 * effects[:rows] @ effects[:rows].T
    q = (w if others is None else others)[:rows]
    inverse = np.linalg.inv(s)
    gram = q.T @ inverse @ q
    b = np.linalg.solve(gram, q.T @ inverse @ response)
    r = response - q @ b
    return -0.5 * np.linalg.slogdet(s)[1] - 0.5 * np.linalg.slogdet(gram)[1] - 0.5 * (rows - q.shape[1]) * np.log(r @ inverse @ r)


regression = []
for rows in [20, 60]:
    evidence = lambda d: log_marginal(outcome[:rows] - d * z[:rows], rows, tau2) - log_marginal(outcome[:rows] - d * z[:rows], rows, 0.0)
    full = np.column_stack([z, w])[:rows]
    b, rss = np.linalg.lstsq(full, outcome[:rows], rcond=None)[:2]
    df = rows - 4
    sigma = np.sqrt(rss[0] / df)
    se = sigma * np.sqrt(np.linalg.inv(full.T @ full)[0, 0])
    g = lambda d: evidence(d) - np.log(20)
    regression.append(
        {
            "rows": rows, "estimate": b[0], "std_error": se, "residual_std_error": sigma, "residual_df": df, "log_e_value": evidence(0.0),
            "lower": optimize.brentq(g, b[0] - 30 * se, b[0], xtol=1e-14), "upper": optimize.brentq(g, b[0], b[0] + 30 * se, xtol=1e-14),
        }
    )
joint = []
for rows in [20, 60]:
    pair, rest = np.column_stack([z, w[:, 2]]), w[:, :2]
    joint.append(log_marginal(outcome[:rows], rows, tau2, pair, rest) - log_marginal(outcome[:rows], rows, 0.0, pair, rest))
values["regression"] = {"prior_variance": tau2, "looks": regression, "joint_log_e_values": joint}

# --- Online false discovery rates ------------------------------------------------------------------------------------------
sample = [2.90e-08, 0.06743, 0.01514, 0.08174, 0.00171, 3.60e-05, 0.79149, 0.27201, 0.28295, 7.59e-08, 0.69274, 0.30443, 0.00136, 0.72342, 0.54757]
shuffled = [2.90e-08, 0.06743, 0.01514, 0.08174, 0.00171, 0.27201, 3.60e-05, 0.79149, 7.59e-08, 0.28295, 0.69274, 0.72342, 0.30443, 0.54757, 0.00136]
power = lambda k: k**-1.6 / special.zeta(1.6)
decay = lambda k: 0.07720838 * np.log(max(k, 2)) / (k * np.exp(np.sqrt(np.log(k))))


def stream(p, gamma, alpha, wealth, lam, tau, adaptive):
    """Every index counted anew from the papers' definitions."""
    levels, found = [], []
    for t in range(1, len(p) + 1):
        selected = lambda a, b: sum(1 for q in p[a:b] if q <= tau)
        candidate = lambda a, b: sum(1 for q in p[a:b] if adaptive and q <= lam)
        level = wealth * gamma(1 + selected(0, t - 1) - candidate(0, t - 1))
        for k, when in enumerate(found):
            level += (alpha - wealth if k == 0 else alpha) * gamma(1 + selected(when, t - 1) - candidate(when, t - 1))
        if adaptive:
            level = min((tau - lam) * level, lam)
        else:
            level = wealth * gamma(t) + sum((alpha - wealth if k == 0 else alpha) * gamma(t - when) for k, when in enumerate(found))
        levels.append(level)
        if p[t - 1] <= level:
            found.append(t)
    return {"levels": levels, "found": found}


rng_free = [((k * 7919 % 1009) / 1009.0) ** (4 if k % 3 == 0 else 1) for k in range(1, 301)]
values["online"] = {
    "p_values": sample,
    "shuffled": shuffled,
    "long": {
        "lord": stream(rng_free, decay, 0.1, 0.05, 0.0, 1.0, False),
        "saffron": stream(rng_free, power, 0.1, 0.05, 0.5, 1.0, True),
        "addis": stream(rng_free, power, 0.1, 0.05, 0.25, 0.5, True),
    },
    # As printed: LORD(sample.df) with w0 = 0.005; LORD(alpha = 0.1, w0 = 0.05) in a random order; SAFFRON; ADDIS.
    "published": {
        "lord": [0.0002675839, 0.0024664457, 0.0005732818, 0.0004872805, 0.0004059066, 0.0003447286, 0.0029745013, 0.0008450114, 0.0007305648, 0.0006243143, 0.0032185913, 0.0010617227, 0.0009256825, 0.0008019657, 0.0007059610],
        "lord_shuffled": [0.0026758385, 0.0032577488, 0.0010775352, 0.0009078052, 0.0007616238, 0.0006517385, 0.0005682672, 0.0058549106, 0.0016151293, 0.0067518870, 0.0023619734, 0.0020342733, 0.0017477495, 0.0015277362, 0.0013569121],
        "saffron": [0.005468627, 0.010937254, 0.010937254, 0.010937254, 0.010937254, 0.021874508, 0.032811762, 0.010823845, 0.010823845, 0.010823845, 0.021761099, 0.009265591, 0.009265591, 0.020202846, 0.009064367],
        "saffron_shuffled": [0.005468627, 0.021874508, 0.021874508, 0.043749017, 0.043749017, 0.065623525, 0.065623525, 0.087498033, 0.028863587, 0.050738095, 0.050738095, 0.022302945, 0.013293195, 0.013293195, 0.009042997],
        "addis": [0.002734314, 0.005468627, 0.005468627, 0.005468627, 0.005468627, 0.010937254, 0.016405881, 0.016405881, 0.005411923, 0.002828822, 0.008297449, 0.008297449, 0.003589243, 0.009057870, 0.009057870],
    },
}

# --- Calibrators by quadrature over kappa -----------------------------------------------------------------------------------
values["calibrator_mixture"] = {
    str(p): float(mp.quad(lambda k: k * mp.mpf(str(p)) ** (k - 1), [0, 1])) for p in [1e-6, 0.01, 0.5, 0.999999, 1.0]
}

save(
    "always_valid",
    source=software("mpmath", "numpy", "scipy") + "; confseq (C++ header and its unit tests); R onlineFDR (pages of examples)",
    data=[],
    values=values,
    tolerance=1e-9,
    note="confseq's last value of the gamma-exponential curve (v = 1e6) carries the rounding of its own logarithms of gamma functions, 3e-11 relative; "
    "its unit tests and onlineFDR's pages have seven to ten digits. The published constant of LORD's sequence sums to 0.976, not to 1.",
)
