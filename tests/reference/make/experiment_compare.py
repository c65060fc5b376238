"""Comparisons of two and several arms: means, proportions, rates, ranks, by scipy and statsmodels; what they lack, by formula."""

import numpy as np
from common import save, software
from scipy import optimize, special, stats
from scipy.stats import contingency
from statsmodels.stats import contingency_tables, oneway, proportion, rates, weightstats

rng = np.random.default_rng(20261122)
SIDES = {"two-sided": "two-sided", "greater": "larger", "less": "smaller"}
SAMPLES = {
    "normal": (np.round(rng.normal(1.0, 1.0, 24), 3), np.round(rng.normal(0.3, 2.5, 31), 3)),
    "skewed": (np.round(rng.lognormal(0.3, 1.0, 60), 3), np.round(rng.lognormal(0.0, 1.0, 45), 3)),
    "tied": (rng.integers(1, 6, 20).astype(float), rng.integers(1, 7, 26).astype(float)),
    "small": (np.array([4.1, 2.2, 7.9, 5.3, 6.6]), np.array([1.1, 3.0, 2.5, 4.4, 0.2, 1.9, 5.8])),
}


def means():
    out = []
    for name, (x, y) in SAMPLES.items():
        a, b = weightstats.DescrStatsW(x), weightstats.DescrStatsW(y)
        both = weightstats.CompareMeans(a, b)
        for side, theirs in SIDES.items():
            for spread, use in [("unequal", "unequal"), ("equal", "pooled"), ("large", None)]:
                if use is None:
                    z = (x.mean() - y.mean()) / np.sqrt(x.var(ddof=1) / x.size + y.var(ddof=1) / y.size)
                    se = (x.mean() - y.mean()) / z
                    p = {"two-sided": 2 * stats.norm.sf(abs(z)), "greater": stats.norm.sf(z), "less": stats.norm.cdf(z)}[side]
                    c = stats.norm.ppf(0.975 if side == "two-sided" else 0.95)
                    low, high = x.mean() - y.mean() - c * se, x.mean() - y.mean() + c * se
                    low, high = (-np.inf if side == "less" else low), (np.inf if side == "greater" else high)
                    statistic = z
                else:
                    r = stats.ttest_ind(x, y, equal_var=use == "pooled", alternative=side)
                    statistic, p = r.statistic, r.pvalue
                    low, high = r.confidence_interval(0.95)
                    assert np.isclose(both.ttest_ind(alternative=theirs, usevar=use)[1], p, rtol=1e-9)
                out.append(dict(sample=name, spread=spread, side=side, statistic=statistic, p=p, lower=low, upper=high))
    return out


def tost():
    out = []
    for name, (x, y) in SAMPLES.items():
        for spread, use in [("unequal", "unequal"), ("equal", "pooled")]:
            p, lower, upper = weightstats.ttost_ind(x, y, -1.0, 2.5, usevar=use)
            out.append(dict(sample=name, spread=spread, p=p, above=lower[1], below=upper[1], statistics=[lower[0], upper[0]]))
    return out


def standardized():
    out = []
    for name, (x, y) in SAMPLES.items():
        n, m = x.size, y.size
        t, df, effective = stats.ttest_ind(x, y).statistic, n + m - 2, n * m / (n + m)
        low, high = (optimize.brentq(lambda nc: stats.nct.cdf(t, df, nc) - q, t - 12, t + 12, xtol=1e-13, rtol=1e-14) for q in (0.975, 0.025))
        j = np.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / np.sqrt(df / 2)
        root = np.sqrt(effective)
        out.append(dict(sample=name, d=[t / root, low / root, high / root], g=[j * t / root, j * low / root, j * high / root]))
    return out


def ratio():
    """Fieller's set with Welch's degrees of freedom at the estimate, by root finding instead of the quadratic formula."""
    out = []
    for name, (x, y) in SAMPLES.items():
        m, d, v, w = x.mean(), y.mean(), x.var(ddof=1) / x.size, y.var(ddof=1) / y.size
        r = m / d
        df = (v + r * r * w) ** 2 / (v * v / (x.size - 1) + (r * r * w) ** 2 / (y.size - 1))
        t = stats.t.ppf(0.975, df)
        half = t * np.sqrt(v / m**2 + w / d**2)
        case = dict(sample=name, estimate=r)
        if r > 0:
            case["log"] = [r * np.exp(-half), r * np.exp(half)]
        if d * d > t * t * w:
            gap = lambda rho: (m - rho * d) ** 2 - t * t * (v + rho * rho * w)
            case["fieller"] = [optimize.brentq(gap, r - 50 * abs(r), r, xtol=1e-14, rtol=1e-14), optimize.brentq(gap, r, r + 50 * abs(r), xtol=1e-14, rtol=1e-14)]
        out.append(case)
    return out


COUNTS = [(540, 5000, 500, 5000), (54, 500, 50, 500), (7, 12, 2, 15), (9, 10, 3, 14), (31, 80, 60, 90), (1, 40, 5, 38)]


def minlike_mid(law, k, side):
    below, above = law.cdf(k) - 0.5 * law.pmf(k), law.sf(k) + 0.5 * law.pmf(k)
    return {"two-sided": min(1.0, 2 * min(below, above)), "greater": above, "less": below}[side]


def proportion_tests():
    out = []
    for counts in COUNTS:
        x, n, y, m = counts
        for side, theirs in SIDES.items():
            z, p = proportion.proportions_ztest([x, y], [n, m], alternative=theirs)
            out.append(dict(counts=counts, test="pooled", side=side, statistic=z, p=p))
            r = proportion.test_proportions_2indep(x, n, y, m, method="wald", alternative=theirs)
            out.append(dict(counts=counts, test="unpooled", side=side, statistic=r.statistic, p=r.pvalue))
            for null in (0.0, 0.05, -0.1):
                r = proportion.test_proportions_2indep(x, n, y, m, value=null, method="score", alternative=theirs)
                out.append(dict(counts=counts, test="score", side=side, null=null, statistic=r.statistic, p=r.pvalue))
            table = [[x, y], [n - x, m - y]]
            out.append(dict(counts=counts, test="fisher", side=side, p=stats.fisher_exact(table, alternative=side).pvalue))
            law = stats.hypergeom(n + m, n, x + y)
            out.append(dict(counts=counts, test="fisher_mid", side=side, p=minlike_mid(law, x, side)))
            if n <= 100:
                out.append(dict(counts=counts, test="barnard", side=side, p=stats.barnard_exact(table, alternative=side, n=256).pvalue))
                out.append(dict(counts=counts, test="boschloo", side=side, p=stats.boschloo_exact(table, alternative=side, n=256).pvalue))
        if n == 500:
            out.append(dict(counts=counts, test="barnard", side="two-sided", p=stats.barnard_exact(table, n=512).pvalue))
            out.append(dict(counts=counts, test="boschloo", side="two-sided", p=stats.boschloo_exact(table, n=32).pvalue))
    return out


def inverted(x, n, y, m, compare, start, low, high):
    """The ends of the interval of statsmodels' score test, to the last digit of the root finder."""
    gap = lambda v: abs(proportion.test_proportions_2indep(x, n, y, m, value=v, compare=compare, method="score").statistic) - stats.norm.ppf(0.975)
    ends = []
    for outer in (low, high):
        # The trigonometric root is not a number near the ends of the range.
        outside = next(v for v in start + (outer - start) * np.linspace(0.02, 1, 99) if gap(v) > 0)
        ends.append(optimize.brentq(gap, min(start, outside), max(start, outside), xtol=1e-14, rtol=1e-14))
    return ends


def proportion_intervals():
    out = []
    for x, n, y, m in COUNTS:
        case = dict(counts=[x, n, y, m], difference={}, ratio={}, odds={})
        for name, method in [("wald", "wald"), ("agresti_caffo", "agresti-caffo"), ("newcombe", "newcomb")]:
            case["difference"][name] = proportion.confint_proportions_2indep(x, n, y, m, method=method, compare="diff")
        d = x / n - y / m
        case["difference"]["score"] = inverted(x, n, y, m, "diff", d + 1e-13, -0.9999, 0.9999)
        for name, method in [("log", "log"), ("log_adjusted", "log-adjusted"), ("score", "score")]:
            case["ratio"][name] = proportion.confint_proportions_2indep(x, n, y, m, method=method, compare="ratio")
        for name, method in [("log", "logit"), ("log_adjusted", "logit-adjusted")]:
            case["odds"][name] = proportion.confint_proportions_2indep(x, n, y, m, method=method, compare="odds-ratio")
        exact = contingency.odds_ratio([[x, y], [n - x, m - y]], kind="conditional")
        low, high = exact.confidence_interval(0.95)
        case["odds"]["exact"] = [low, high]
        case["odds_estimate"] = exact.statistic
        out.append(case)
    return out


def one_proportion():
    out = []
    for x, n, null in [(15, 100, 0.1), (3, 20, 0.3), (0, 12, 0.2), (12, 12, 0.8), (540, 5000, 0.1)]:
        case = dict(counts=[x, n], null=null, intervals={}, p={}, mid={})
        names = dict(wilson="wilson", clopper_pearson="beta", agresti_coull="agresti_coull", jeffreys="jeffreys", wald="normal")
        for name, method in names.items():
            if not (name == "clopper_pearson" and x in (0, n)):
                case["intervals"][name] = [float(v) for v in proportion.proportion_confint(x, n, method=method)]
        if 0 < x < n:
            mid = lambda p: stats.binom.sf(x, n, p) + 0.5 * stats.binom.pmf(x, n, p)
            case["intervals"]["mid_p"] = [optimize.brentq(lambda p: mid(p) - q, 1e-12, 1 - 1e-12, xtol=1e-15, rtol=1e-14) for q in (0.025, 0.975)]
        for side in SIDES:
            case["p"][side] = stats.binomtest(x, n, null, alternative=side).pvalue
            case["mid"][side] = minlike_mid(stats.binom(n, null), x, side)
        out.append(case)
    return out


def mcnemar():
    out = []
    for table in [(59, 6, 16, 80), (10, 3, 3, 5), (101, 121, 59, 33)]:
        square = [[table[0], table[1]], [table[2], table[3]]]
        run = lambda **options: contingency_tables.mcnemar(square, **options)
        out.append(dict(counts=table, exact=run(exact=True).pvalue, asymptotic=run(exact=False, correction=False).pvalue,
                        corrected=run(exact=False, correction=True).pvalue))
    return out


def rate_cases():
    out = []
    for y, e, w, f in [(60, 51477.5, 30, 54308.7), (7, 40.0, 2, 35.5), (11, 100.0, 14, 90.0)]:
        case = dict(counts=[y, e, w, f], tests=[], intervals={})
        for side, theirs in SIDES.items():
            for name, method in [("score", "score"), ("exact", "exact-cond"), ("wald_log", "wald-log")]:
                r = rates.test_poisson_2indep(y, e, w, f, method=method, alternative=theirs)
                case["tests"].append(dict(test=name, side=side, p=r.pvalue))
            share = e / (e + f)
            case["tests"].append(dict(test="mid_p", side=side, p=minlike_mid(stats.binom(y + w, share), y, side)))
        case["intervals"]["wald_log"] = rates.confint_poisson_2indep(y, e, w, f, method="wald-log")
        z = stats.norm.ppf(0.975)
        gap = lambda r: abs(rates.test_poisson_2indep(y, e, w, f, value=r, method="score").statistic) - z
        center = y / e / (w / f)
        case["intervals"]["score"] = [optimize.brentq(gap, center / 100, center, xtol=1e-15, rtol=1e-14), optimize.brentq(gap, center, center * 100, xtol=1e-15, rtol=1e-14)]
        low, high = stats.binomtest(y, y + w).proportion_ci(0.95, method="exact")
        case["intervals"]["exact"] = [low / (1 - low) * f / e, high / (1 - high) * f / e]
        case["difference"] = rates.confint_poisson_2indep(y, e, w, f, method="wald", compare="diff")
        out.append(case)
    return out


def ranks():
    out = dict(mann_whitney=[], brunner_munzel=[], kolmogorov_smirnov=[], signed_rank=[])
    for name, (x, y) in SAMPLES.items():
        for side in SIDES:
            for method in ("exact", "asymptotic"):
                if method == "exact" and np.unique(np.concatenate([x, y])).size < x.size + y.size:
                    continue
                r = stats.mannwhitneyu(x, y, alternative=side, method=method)
                out["mann_whitney"].append(dict(sample=name, side=side, method=method, continuity=True, statistic=r.statistic, p=r.pvalue))
            r = stats.mannwhitneyu(x, y, alternative=side, method="asymptotic", use_continuity=False)
            out["mann_whitney"].append(dict(sample=name, side=side, method="asymptotic", continuity=False, statistic=r.statistic, p=r.pvalue))
            for reference in ("t", "normal"):
                # scipy's statistic is positive when the second sample is larger; its sides are those of the first against the second.
                r = stats.brunnermunzel(y, x, alternative={"two-sided": "two-sided", "greater": "less", "less": "greater"}[side], distribution=reference)
                out["brunner_munzel"].append(dict(sample=name, side=side, reference=reference, statistic=r.statistic, p=r.pvalue))
            # scipy's greater is a larger distribution function, hence smaller values.
            theirs = {"two-sided": "two-sided", "greater": "less", "less": "greater"}[side]
            r = stats.ks_2samp(x, y, alternative=theirs, method="exact")
            out["kolmogorov_smirnov"].append(dict(sample=name, side=side, method="exact", statistic=r.statistic, p=r.pvalue))
            if side == "two-sided":
                p = stats.kstwobign.sf(np.sqrt(x.size * y.size / (x.size + y.size)) * r.statistic)
            else:
                p = stats.ks_2samp(x, y, alternative=theirs, method="asymp").pvalue
            out["kolmogorov_smirnov"].append(dict(sample=name, side=side, method="asymptotic", statistic=r.statistic, p=p))
            n = min(x.size, y.size)
            for method in ("exact", "asymptotic"):
                d = x[:n] - y[:n]
                d = d[d != 0]
                if method == "exact" and np.unique(np.abs(np.round(d, 9))).size < d.size:
                    continue
                r = stats.wilcoxon(x[:n], y[:n], alternative=side, method=method)
                plus = stats.rankdata(np.abs(np.round(d, 9)))[d > 0].sum()
                if method == "asymptotic" and np.unique(np.abs(d)).size != np.unique(np.abs(np.round(d, 9))).size:
                    continue
                out["signed_rank"].append(dict(sample=name, side=side, method=method, statistic=plus, p=r.pvalue))
    return out


def shifts():
    """Hodges–Lehmann from all pairs, with the order statistics of the exact distribution (counted) or of the normal one."""
    out = []
    for name, (x, y) in SAMPLES.items():
        d = np.sort(np.subtract.outer(x, y).ravel())
        pooled = np.concatenate([x, y])
        n, m, total = x.size, y.size, x.size + y.size
        ties = np.unique(pooled, return_counts=True)[1]
        if min(n, m) <= 8 and ties.max() == 1:
            order = np.array([stats.mannwhitneyu(np.arange(n) + 0.5, np.arange(m), method="exact").pvalue])  # scipy is there
            assert order.size == 1
            counts = np.array([1.0])
            for i in range(1, n + 1):  # Gaussian binomial coefficients
                up, down = np.zeros(m + i + 1), np.zeros(i + 1)
                up[0], up[-1], down[0], down[-1] = 1, -1, 1, -1
                counts = np.round(np.polydiv(np.convolve(counts, up)[::-1], down[::-1])[0][::-1])
            cdf = np.cumsum(counts) / counts.sum()
            k = max(int(np.searchsorted(cdf, 0.025)), 1)
        else:
            sd = np.sqrt(n * m / 12 * (total + 1 - (ties**3 - ties).sum() / (total * (total - 1))))
            k = max(int(np.floor(n * m / 2 - stats.norm.ppf(0.975) * sd)), 1)
        out.append(dict(sample=name, estimate=np.median(d), interval=[d[k - 1], d[n * m - k]]))
    return out


ARMS = [np.round(rng.normal(m, s, n), 3) for m, s, n in [(0.0, 1.0, 12), (0.8, 1.5, 17), (1.5, 3.0, 9), (0.2, 0.7, 20)]]


def arms():
    out = dict(values=[a.tolist() for a in ARMS])
    r = stats.f_oneway(*ARMS)
    out["anova"] = dict(statistic=r.statistic, p=r.pvalue)
    r = oneway.anova_oneway(ARMS, use_var="unequal", welch_correction=True)
    out["welch"] = dict(statistic=r.statistic, p=r.pvalue, df2=r.df_denom)
    k, n = len(ARMS), sum(a.size for a in ARMS)
    everything = np.concatenate(ARMS)
    total = ((everything - everything.mean()) ** 2).sum()
    within = sum(((a - a.mean()) ** 2).sum() for a in ARMS)
    residual = within / (n - k)
    f = out["anova"]["statistic"]
    ends = []
    for q in (0.975, 0.025):
        gap = lambda nc: stats.ncf.cdf(f, k - 1, n - k, nc) - q
        ends.append(0.0 if gap(1e-9) < 0 else optimize.brentq(gap, 1e-9, 200, xtol=1e-13, rtol=1e-14))
    out["eta2"], out["omega2"] = (total - within) / total, (total - within - (k - 1) * residual) / (total + residual)
    out["explained"] = [e / (e + n) for e in ends]
    for name, equal in [("tukey", True), ("games_howell", False)]:
        r = stats.tukey_hsd(*ARMS, equal_var=equal)
        ci = r.confidence_interval(0.95)
        out[name] = [dict(pair=[i + 1, j + 1], estimate=r.statistic[j, i], p=r.pvalue[j, i], lower=ci.low[j, i], upper=ci.high[j, i])
                     for i in range(k) for j in range(i + 1, k)]
    for name, center in [("levene", "mean"), ("brown_forsythe", "median")]:
        r = stats.levene(*ARMS, center=center)
        out[name] = dict(statistic=r.statistic, p=r.pvalue)
    r = stats.kruskal(*ARMS)
    out["kruskal"] = dict(statistic=r.statistic, p=r.pvalue)
    r = stats.kruskal(*(np.round(a) for a in ARMS))
    out["kruskal_tied"] = dict(statistic=r.statistic, p=r.pvalue)
    return out


def paired():
    out = []
    for name, (x, y) in SAMPLES.items():
        n = min(x.size, y.size)
        for side in SIDES:
            r = stats.ttest_rel(x[:n], y[:n], alternative=side)
            low, high = r.confidence_interval(0.95)
            out.append(dict(sample=name, side=side, statistic=r.statistic, p=r.pvalue, lower=low, upper=high))
    return out


save(
    "experiment_compare",
    source=software("scipy", "statsmodels", "numpy"),
    data=[],
    tolerance=1e-9,
    note="The first sample is the treatment. Barnard's and Boschloo's p-values are maxima that scipy looks for from 32 to 512 starting points: 1e-6 (with 32 it misses the highest peak of Barnard at 54 and 50 of 500, near π = 0.004, and says 0.6956). "
    "Score intervals are roots of statsmodels' score test to 1e-14 (its own stop at 2e-12, and 1e-8 for the conditional odds ratio). "
    "Fieller's sets, standardised effects, mid-p and Hodges–Lehmann are computed from their "
    "definitions in this script.",
    values=dict(
        samples={k: dict(x=v[0].tolist(), y=v[1].tolist()) for k, v in SAMPLES.items()}, means=means(), tost=tost(), standardized=standardized(),
        ratio=ratio(), paired=paired(), proportion_tests=proportion_tests(), proportion_intervals=proportion_intervals(),
        one_proportion=one_proportion(), mcnemar=mcnemar(), rates=rate_cases(), ranks=ranks(), shifts=shifts(), arms=arms()),
)
