"""Trust checks and special designs of experiments: scipy, statsmodels and formulas written down here, independently of the crate.

The data are small formulas of the row number, which the test writes down again.
"""

import decimal
import itertools
import math

import numpy as np
import statsmodels.api as sm
from common import save, software
from scipy import optimize, special, stats
from statsmodels.sandbox.regression.gmm import IV2SLS
from statsmodels.stats.meta_analysis import combine_effects

values = {}

# --- Sample ratio ---------------------------------------------------------------------------------------------------
ratio = []
for counts, shares in [
    ([10000, 10300], [1, 1]),
    ([821588, 815482], [1, 1]),
    ([500000, 502000], [1, 1]),
    ([50400, 49600], [1, 1]),
    ([9000, 1100], [9, 1]),
    ([100000, 100500, 99200], [1, 1, 1]),
    ([3, 14], [1, 2]),
    ([12, 5, 9], [2, 1, 1]),
]:
    p = np.array(shares) / sum(shares)
    chi = stats.chisquare(counts, p * sum(counts))
    case = {"counts": counts, "shares": shares, "chi_squared": chi.statistic, "p_value": chi.pvalue}
    if len(counts) == 2:
        case["exact"] = stats.binomtest(counts[0], sum(counts), p[0]).pvalue
    elif sum(counts) < 100:
        n = sum(counts)
        law = stats.multinomial(n, p)
        tables = [t for t in itertools.product(range(n + 1), repeat=3) if sum(t) == n]
        pmf = law.pmf(tables)
        case["exact"] = pmf[pmf <= law.pmf(counts) * (1 + 1e-7)].sum()
    # Lindon & Malek (2022): Dirichlet-multinomial against the declared shares, prior of strength 10 000.
    alpha = 10_000 * p
    post = alpha + np.array(counts)

    def ln_beta(a):
        return special.gammaln(a).sum() - special.gammaln(a.sum())

    case["log_bayes_factor"] = ln_beta(post) - ln_beta(alpha) - (np.array(counts) * np.log(p)).sum()
    ratio.append(case)
values["sample_ratio"] = ratio

# --- Balance: the F test of the regression of the arm on covariates, with and without clusters -------------------------
i = np.arange(240)
arm = (i // 4) % 2  # clusters of four
x1 = (i * 37 % 61) + 3.0 * arm * (i % 3)
x2 = np.sin(i) + 0.1 * arm
model = sm.OLS(arm, sm.add_constant(np.column_stack([x1, x2])))
plain = model.fit()
clustered = model.fit(cov_type="cluster", cov_kwds={"groups": i // 4}, use_t=True)
one, zero = arm == 1, arm == 0
d = [
    (x[one].mean() - x[zero].mean()) / math.sqrt((x[one].var(ddof=1) + x[zero].var(ddof=1)) / 2) for x in (x1, x2)
]
values["balance"] = {
    "f": plain.fvalue,
    "p": plain.f_pvalue,
    "clustered_f": float(np.squeeze(clustered.fvalue)),
    "clustered_p": float(clustered.f_pvalue),
    "differences": d,
    "variance_ratios": [x[one].var(ddof=1) / x[zero].var(ddof=1) for x in (x1, x2)],
    "p_values": [stats.ttest_ind(x[one], x[zero], equal_var=False).pvalue for x in (x1, x2)],
}

# --- Kolmogorov's test of uniformity ----------------------------------------------------------------------------------
decimal.getcontext().prec = 80


def kolmogorov(n, d):
    """Marsaglia, Tsang & Wang's matrix with 80 digits; scipy.stats.kstwo is approximate (3e-7) from n = 140 on."""
    d = decimal.Decimal(d)
    k = int(n * d) + 1
    m, h = 2 * k - 1, k - n * d
    matrix = [[decimal.Decimal(0)] * m for _ in range(m)]
    for a in range(m):
        for b in range(min(a + 2, m)):
            v = decimal.Decimal(1)
            if b == 0:
                v -= h ** (a + 1)
            if a == m - 1:
                v -= h ** (m - b)
            if a == m - 1 and b == 0 and 2 * h > 1:
                v += (2 * h - 1) ** m
            matrix[a][b] = v / math.factorial(a - b + 1)
    row = [decimal.Decimal(int(c == k - 1)) for c in range(m)]
    for step in range(1, n + 1):
        row = [sum(row[a] * matrix[a][b] for a in range(max(b - 1, 0), m)) * step / n for b in range(m)]
    return float(1 - row[k - 1])


values["kolmogorov"] = [
    {"n": n, "d": float(d), "p": kolmogorov(n, d)}
    for n, d in [(20, "0.1"), (20, "0.3"), (200, "0.05"), (200, "0.11"), (1000, "0.02"), (1000, "0.043"), (1000, "0.08")]
]
assert abs(values["kolmogorov"][0]["p"] / stats.kstwo.sf(0.1, 20) - 1) < 1e-12

# --- Twyman: DerSimonian-Laird ---------------------------------------------------------------------------------------
past = np.array([0.4, -0.2, 1.1, 0.3, -0.9, 0.6, 2.0])
errors = np.array([0.3, 0.2, 0.5, 0.4, 0.3, 0.25, 0.6])
combined = combine_effects(past, errors**2, method_re="dl")
values["twyman"] = {
    "past": past,
    "errors": errors,
    "mean": combined.mean_effect_re,
    "variance": combined.tau2,
}

# --- Novelty: slope of the effect by day, with influences summed by unit ------------------------------------------------
unit, day = np.divmod(np.arange(40 * 6), 6)
seen = day < 6 - (unit % 3)  # later users have fewer days
unit, day = unit[seen], day[seen]
treat = unit % 2
y = np.cos(unit) + np.sin(unit * 3 + day) + treat * (1.0 - 0.15 * day)
rows = {(a, k): (treat == a) & (day == k) for a in (0, 1) for k in range(6)}
effects = np.array([y[rows[1, k]].mean() - y[rows[0, k]].mean() for k in range(6)])
weights = np.array(
    [rows[1, k].sum() * rows[0, k].sum() / (rows[1, k].sum() + rows[0, k].sum()) for k in range(6)], dtype=float
)
covariance = np.zeros((6, 6))
for a in (0, 1):
    units = np.unique(unit[treat == a])
    psi = np.zeros((len(units), 6))
    for r, u in enumerate(units):
        for k in range(6):
            here = rows[a, k] & (unit == u)
            if here.any():
                psi[r, k] = (y[here].sum() - y[rows[a, k]].mean()) / rows[a, k].sum()
    covariance += len(units) / (len(units) - 1) * psi.T @ psi
days = np.arange(6.0)
center = (weights * days).sum() / weights.sum()
contrast = weights * (days - center) / (weights * (days - center) ** 2).sum()
cumulative, errors_cum = [], []
for k in range(6):
    estimate, variance = 0.0, 0.0
    for a, sign in ((1, 1), (0, -1)):
        units = np.unique(unit[treat == a])
        sums = np.array([[y[(unit == u) & (day <= k)].sum(), ((unit == u) & (day <= k)).sum()] for u in units])
        r = sums[:, 0].sum() / sums[:, 1].sum()
        estimate += sign * r
        n = len(units)
        variance += n / (n - 1) * ((sums[:, 0] - r * sums[:, 1]) ** 2).sum() / sums[:, 1].sum() ** 2
    cumulative.append(estimate)
    errors_cum.append(math.sqrt(variance))
values["novelty"] = {
    "effects": effects,
    "errors": np.sqrt(np.diag(covariance)),
    "slope": contrast @ effects,
    "slope_error": math.sqrt(contrast @ covariance @ contrast),
    "cumulative": cumulative,
    "cumulative_errors": errors_cum,
}

# --- Networks: Aronow & Samii (2017) by all assignments ---------------------------------------------------------------
n, ties = 8, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 0), (0, 3)]
neighbours = [[b for a, b in ties if a == k] + [a for a, b in ties if b == k] for k in range(n)]
observed = np.array([0, 1, 0, 0, 0, 0, 1, 0])
outcome = np.array([3.0, 1.5, 0.2, 2.1, 5.7, 4.0, 2.4, 0.9])


def exposures(z):
    return [2 * int(z[k]) + int(any(z[j] for j in neighbours[k])) for k in range(n)]


def network(assignments, weights):
    d = np.array([exposures(z) for z in assignments])
    pi = {e: weights @ (d == e) for e in (0, 1)}
    joint = {(e, f): (d == e).T.astype(float) @ (weights[:, None] * (d == f)) for e in (0, 1) for f in (0, 1)}
    seen = np.array(exposures(observed))
    ind = {e: (seen == e).astype(float) for e in (0, 1)}

    def variance_total(e, u):
        v = (ind[e] * (1 - pi[e]) * (u / pi[e]) ** 2).sum()
        for a in range(n):
            for b in range(n):
                if a == b:
                    continue
                both = joint[e, e][a, b]
                if both > 1e-14:
                    v += ind[e][a] * ind[e][b] * (both - pi[e][a] * pi[e][b]) / both * u[a] / pi[e][a] * u[b] / pi[e][b]
                else:
                    v += ind[e][a] * u[a] ** 2 / (2 * pi[e][a]) + ind[e][b] * u[b] ** 2 / (2 * pi[e][b])
        return v

    def covariance_total(e, f, u, w):
        c = 0.0
        for a in range(n):
            for b in range(n):
                both = joint[e, f][a, b]
                if both > 1e-14:
                    c += ind[e][a] * ind[f][b] * (both - pi[e][a] * pi[f][b]) / both * u[a] / pi[e][a] * w[b] / pi[f][b]
                else:
                    c -= ind[e][a] * u[a] ** 2 / (2 * pi[e][a]) + ind[f][b] * w[b] ** 2 / (2 * pi[f][b])
        return c

    ht = {e: (ind[e] * outcome / pi[e]).sum() / n for e in (0, 1)}
    hajek = {e: (ind[e] * outcome / pi[e]).sum() / (ind[e] / pi[e]).sum() for e in (0, 1)}
    out = {"probabilities": pi[1], "ht": ht[1] - ht[0], "hajek": hajek[1] - hajek[0]}
    for name, u, w in (("ht", outcome, outcome), ("hajek", outcome - hajek[1], outcome - hajek[0])):
        v = variance_total(1, u) + variance_total(0, w) - 2 * covariance_total(1, 0, u, w)
        out[f"{name}_error"] = math.sqrt(v) / n
    return out


complete = [z for z in itertools.product((0, 1), repeat=n) if sum(z) == 2]
coins = list(itertools.product((0, 1), repeat=n))
values["network"] = {
    "ties": ties,
    "outcome": outcome,
    "treated": observed,
    "complete": network(complete, np.full(len(complete), 1 / len(complete))),
    "coins": network(coins, np.array([0.3 ** sum(z) * 0.7 ** (n - sum(z)) for z in coins])),
}

# --- Encouragement: two-stage least squares, and the linear programme of Balke & Pearl -----------------------------------
i = np.arange(300)
z = i % 2
take = np.where(i % 7 < 2, 1, np.where(i % 7 < 4, 0, z))
spend = 2.0 * take + np.sin(i) + (i % 7) * 0.3
iv = IV2SLS(spend, sm.add_constant(take), sm.add_constant(z)).fit()
itt = sm.OLS(spend, sm.add_constant(z)).fit(cov_type="HC1")


def programme(cells):
    """Sharp bounds over the 16 response types (4 of the treatment by 4 of the outcome); cells[z][2y + d]."""
    types = list(itertools.product((0, 1), repeat=4))  # D(0), D(1), Y(0), Y(1)
    a, b = [], []
    for zz in (0, 1):
        for yy in (0, 1):
            for dd in (0, 1):
                a.append([float(t[zz] == dd and t[2 + dd] == yy) for t in types])
                b.append(cells[zz][2 * yy + dd])
    cost = np.array([t[3] - t[2] for t in types], dtype=float)
    low = optimize.linprog(cost, A_eq=a, b_eq=b, bounds=(0, None), method="highs")
    high = optimize.linprog(-cost, A_eq=a, b_eq=b, bounds=(0, None), method="highs")
    return low.fun, -high.fun


def draw(seed):
    rng = np.random.default_rng(seed)
    q = rng.integers(0, 60, 16)
    q[0] += 1
    types = list(itertools.product((0, 1), repeat=4))
    counts = [[0] * 4, [0] * 4]
    for zz in (0, 1):
        for t, m in zip(types, q):
            dd = t[zz]
            counts[zz][2 * t[2 + dd] + dd] += int(m)
    return counts


bounds = []
for seed in range(12):
    counts = draw(seed)
    total = sum(counts[0])
    low, high = programme([[c / total for c in row] for row in counts])
    bounds.append({"counts": counts, "lower": low, "upper": high})
values["encouragement"] = {
    "local": iv.params[1],
    "itt": itt.params[1],
    "itt_error": itt.bse[1],
    "balke_pearl": bounds,
}

# --- Interleaving: sign and paired t test -----------------------------------------------------------------------------
i = np.arange(60)
a, b = (i * 7 % 5).astype(float), (i * 11 % 4).astype(float)
gap = a - b
score = np.where(gap > 0, 1.0, np.where(gap < 0, 0.0, 0.5))
t = stats.ttest_rel(a, b)
values["interleaving"] = {
    "sign": stats.binomtest(int((gap > 0).sum()), int((gap != 0).sum()), 0.5).pvalue,
    "t": t.statistic,
    "p": t.pvalue,
    "preference": score.mean() - 0.5,
    "preference_error": score.std(ddof=1) / math.sqrt(len(score)),
}

# --- Surrogate index: stacked variance ---------------------------------------------------------------------------------
i = np.arange(200)
s, x = np.sin(i * 1.7) * 2, np.cos(i * 0.9)
long_term = 1 + 2 * s - x + np.sin(i * 5.3)
ols = sm.OLS(long_term, sm.add_constant(np.column_stack([s, x]))).fit(cov_type="HC1")
j = np.arange(160)
w = j % 2
s_new, x_new = np.sin(j * 2.1) * 2 + 0.4 * w, np.cos(j * 1.3)
features = sm.add_constant(np.column_stack([s_new, x_new]))
index = features @ ols.params
g = features[w == 1].mean(axis=0) - features[w == 0].mean(axis=0)
between = index[w == 1].var(ddof=1) / (w == 1).sum() + index[w == 0].var(ddof=1) / (w == 0).sum()
told = sm.OLS(w, features).fit().rsquared
values["surrogate"] = {
    "effect": index[w == 1].mean() - index[w == 0].mean(),
    "error": math.sqrt(between + g @ ols.cov_params() @ g),
    "experimental_error": math.sqrt(between),
    "treatment_r_squared": told,
    "bound": math.sqrt(ols.mse_resid) * math.sqrt((1 - told) / (w.mean() * (1 - w.mean()))),
}

save(
    "experiment_trust",
    source=software("scipy", "statsmodels", "numpy"),
    data=[],
    values=values,
    tolerance=1e-9,
    note="Kolmogorov's p-values to 1e-8 (twice the one-sided tail beyond n d² = 4); Balke-Pearl bounds by a linear programme over the 16 "
    "response types, to 1e-9; exact tests of large counts to 1e-7, the ties' tolerance being relative to probabilities. Networks: "
    "neighbour treated against not exposed, Aronow & Samii (2017) equations 7 to 11 with every assignment.",
)
