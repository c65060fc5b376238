"""An experiment with three arms, strata and shops, analysed by tea-tasting, statsmodels, scipy and numpy.

    python tests/reference/make/experiment_core.py            # the values, from experiment_core.csv
    python tests/reference/make/experiment_core.py --data     # writes experiment_core.csv anew; all values change
"""

import datetime
import json
import pathlib
import platform
import sys

import numpy as np
import polars as pl
import scipy
import scipy.stats
import statsmodels
import statsmodels.api as sm
import statsmodels.stats.weightstats as ws
import tea_tasting as tt

HERE = pathlib.Path(__file__).resolve().parent.parent
FILE = HERE / "experiment_core.csv"


def write_data():
    g = np.random.default_rng(20261122)
    shops = 90
    rows = []
    user = 0
    for shop in range(shops):
        arm = "ABC"[shop % 3]
        shop_effect = g.normal()
        for _ in range(int(g.integers(3, 16))):
            user += 1
            stratum = ["mobile", "desktop", "tablet"][g.choice(3, p=[0.5, 0.35, 0.15])]
            loyal = g.gamma(2.0)
            orders_before = g.poisson(1 + loyal)
            revenue_before = orders_before * (5 + 3 * g.gamma(2.0))
            lift = {"A": 0.0, "B": 0.3, "C": 0.8}[arm]
            orders = 1 + g.poisson(0.7 * loyal + lift + (stratum == "mobile") * 0.5)
            revenue = orders * (6 + 3 * g.gamma(2.0) + shop_effect) + 0.3 * revenue_before
            bought = int(g.random() < 0.3 + 0.1 * lift)
            rows.append((user, arm, stratum, f"s{shop}", orders, round(revenue, 6), orders_before, round(revenue_before, 6), bought))
    names = ["user", "arm", "stratum", "shop", "orders", "revenue", "orders_before", "revenue_before", "bought"]
    pl.DataFrame(rows, schema=names, orient="row").write_csv(FILE)


def tea(data):
    pair = data.filter(pl.col("arm").is_in(["A", "B"])).with_columns((pl.col("arm") == "B").cast(pl.Int64).alias("variant"))
    experiment = tt.Experiment(
        mean=tt.Mean("revenue"),
        ratio=tt.RatioOfMeans("revenue", "orders"),
        cuped=tt.Mean("revenue", "revenue_before"),
        cuped_ratio=tt.RatioOfMeans("revenue", "orders", "revenue_before", "orders_before"),
        sample_ratio=tt.SampleRatio(),
    )
    found = experiment.analyze(pair)
    keys = ["control", "treatment", "effect_size", "effect_size_ci_lower", "effect_size_ci_upper", "rel_effect_size",
            "rel_effect_size_ci_lower", "rel_effect_size_ci_upper", "pvalue", "statistic"]
    out = {name: [getattr(found[name], k) for k in keys] for name in ["mean", "ratio", "cuped", "cuped_ratio"]}
    counts = [pair.filter(pl.col("variant") == v).height for v in (0, 1)]
    chi = scipy.stats.chisquare(counts)
    out["sample_ratio"] = [chi.statistic, chi.pvalue]
    return out


def columns(data):
    return {c: data[c].to_numpy() for c in data.columns}


def welch(d):
    out = {}
    for arm in "BC":
        for name in ["revenue", "bought"]:
            y, x = (d[name][d["arm"] == a].astype(float) for a in (arm, "A"))
            test = scipy.stats.ttest_ind(y, x, equal_var=False)
            compared = ws.CompareMeans(ws.DescrStatsW(y), ws.DescrStatsW(x))
            low, high = compared.tconfint_diff(usevar="unequal")
            out[f"{name}: {arm}"] = [y.mean() - x.mean(), low, high, test.statistic, test.pvalue, test.df]
    y, x = (d["revenue"][d["arm"] == a] for a in "CB")
    out["revenue: C - B"] = [y.mean() - x.mean(), *ws.CompareMeans(ws.DescrStatsW(y), ws.DescrStatsW(x)).tconfint_diff(usevar="unequal")]
    return out


def ancova(d):
    """The slope within arms: differences of the adjusted means are the coefficients of analysis of covariance."""
    x = np.column_stack([d["arm"] == "B", d["arm"] == "C", d["revenue_before"], d["orders_before"]]).astype(float)
    fit = sm.OLS(d["revenue"], sm.add_constant(x)).fit()
    e = {a: (d["revenue"] - x[:, 2:] @ fit.params[3:])[d["arm"] == a] for a in "ABC"}
    errors = [np.sqrt(e[a].var(ddof=1) / len(e[a]) + e["A"].var(ddof=1) / len(e["A"])) for a in "BC"]
    return {"difference": list(fit.params[1:3]), "std_error": errors}


def lin(d):
    t = np.column_stack([d["arm"] == "B", d["arm"] == "C"]).astype(float)
    z = np.column_stack([d["revenue_before"], d["orders_before"]]).astype(float)
    z -= z.mean(axis=0)
    x = sm.add_constant(np.column_stack([t, z, t[:, :1] * z, t[:, 1:] * z]))
    fit = sm.OLS(d["revenue"], x).fit()
    e = {a: fit.resid[d["arm"] == a] for a in "ABC"}
    residual = [np.sqrt(e[a].var(ddof=1) / len(e[a]) + e["A"].var(ddof=1) / len(e["A"])) for a in "BC"]
    return {"difference": list(fit.params[1:3]), "HC2": list(fit.HC2_se[1:3]), "HC3": list(fit.HC3_se[1:3]), "residual": residual}


def poststratified(d):
    strata = np.unique(d["stratum"])
    n = len(d["arm"])
    value, variance = {}, {}
    for a in "ABC":
        parts = [(np.mean(d["stratum"] == s), d["revenue"][(d["arm"] == a) & (d["stratum"] == s)]) for s in strata]
        value[a] = sum(w * y.mean() for w, y in parts)
        variance[a] = [(w * w * y.var(ddof=1) / len(y), len(y) - 1) for w, y in parts]
    out = {}
    for a in "BC":
        both = variance[a] + variance["A"]
        total = sum(v for v, _ in both)
        out[a] = [value[a] - value["A"], np.sqrt(total), total**2 / sum(v * v / f for v, f in both)]
    return out


def clustered(d):
    """One arm at a time with a constant alone: the correction for few clusters is then G/(G - 1)."""
    out = {}
    for a in "ABC":
        keep = d["arm"] == a
        groups = np.unique(d["shop"][keep], return_inverse=True)[1]
        fit = sm.OLS(d["revenue"][keep], np.ones(keep.sum())).fit(cov_type="cluster", cov_kwds={"groups": groups})
        out[a] = [fit.params[0], fit.bse[0]]
    # The ratio of sums over shops, by hand.
    for a in "ABC":
        keep = d["arm"] == a
        shops = np.unique(d["shop"][keep])
        r = np.array([d["revenue"][d["shop"] == s].sum() for s in shops])
        o = np.array([d["orders"][d["shop"] == s].sum() for s in shops])
        ratio = r.sum() / o.sum()
        u = (r - ratio * o) / o.mean()
        out[f"ratio {a}"] = [ratio, np.sqrt(u.var(ddof=1) / len(u))]
    return out


def quantile_error(y, p, groups=None):
    """Deng, Knoblich & Lu (2018): the ranks n (p +- z sigma) bracket the quantile; with groups sigma is the error of a ratio of sums."""
    n, z = len(y), scipy.stats.norm.ppf(0.975)
    value = np.quantile(y, p)
    if groups is None:
        sigma = np.sqrt(p * (1 - p) / n)
    else:
        codes = np.unique(groups, return_inverse=True)[1]
        below, size = np.bincount(codes, y <= value), np.bincount(codes)
        u = (below - below.sum() / n * size) / size.mean()
        sigma = np.sqrt(u.var(ddof=1) / len(u))
    order = np.sort(y)
    low, high = np.ceil(n * (p - z * sigma)), np.ceil(n * (p + z * sigma)) + 1
    return [float(value), float((order[int(high) - 1] - order[int(low) - 1]) / (2 * z))]


def fieller(d):
    y, x = (d["revenue"][d["arm"] == a] for a in "BA")
    vy, vx = y.var(ddof=1) / len(y), x.var(ddof=1) / len(x)
    df = (vy + vx) ** 2 / (vy**2 / (len(y) - 1) + vx**2 / (len(x) - 1))
    t2 = scipy.stats.t.ppf(0.975, df) ** 2
    roots = np.roots([x.mean() ** 2 - t2 * vx, -2 * x.mean() * y.mean(), y.mean() ** 2 - t2 * vy])
    return sorted(float(r) - 1 for r in roots)


def main():
    if "--data" in sys.argv:
        write_data()
    data = pl.read_csv(FILE)
    d = columns(data)
    values = {
        "tea_tasting": tea(data),
        "welch": welch(d),
        "ancova": ancova(d),
        "lin": lin(d),
        "poststratified": poststratified(d),
        "clustered": clustered(d),
        "fieller_lift_of_revenue_b": fieller(d),
        "quantile_90": {a: quantile_error(d["revenue"][d["arm"] == a], 0.9) for a in "ABC"},
        "quantile_90 over shops": {a: quantile_error(d["revenue"][d["arm"] == a], 0.9, d["shop"][d["arm"] == a]) for a in "ABC"},
        "skewness": {a: float(scipy.stats.skew(d["revenue"][d["arm"] == a])) for a in "ABC"},
    }
    record = {
        "source": f"tea-tasting {tt.__version__}, statsmodels {statsmodels.__version__}, scipy {scipy.__version__}, numpy {np.__version__}; Python {platform.python_version()}",
        "command": "python tests/reference/make/experiment_core.py",
        "date": str(datetime.date.today()),
        "data": ["tests/reference/experiment_core.csv"],
        "tolerance": 1e-9,
        "note": "tea_tasting: arms A and B; its slope of covariates is that of all units together (CovariateSlope::Total). Lists: control, treatment, difference, its interval, relative lift, its interval, p, statistic.",
        "values": values,
    }
    (HERE / "experiment_core.json").write_text(json.dumps(record, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main()
