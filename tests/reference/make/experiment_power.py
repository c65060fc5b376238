"""Power of tests: statsmodels, R's stats, Fisher's test by listing all tables with scipy, and formulas written down here."""
import json
import math
import subprocess
import sys

import numpy as np
import scipy
import statsmodels
from scipy import integrate, stats
from statsmodels.stats import power as p
from statsmodels.stats import proportion as pr
from statsmodels.stats import rates as r

SIDES = {"two-sided": "TwoSided", "larger": "Greater", "smaller": "Less"}
values = {}

means = []
for d, n1, ratio, side, alpha in [
    (0.2, 150, 1.0, "two-sided", 0.05), (0.05, 5000, 1.0, "two-sided", 0.01), (0.8, 6, 1.0, "two-sided", 0.05),
    (0.3, 80, 2.5, "larger", 0.05), (-0.4, 40, 0.5, "smaller", 0.025), (-0.4, 40, 0.5, "larger", 0.05),
]:
    means.append({"effect": d, "n": n1 * (1 + ratio), "ratio": ratio, "side": SIDES[side], "alpha": alpha,
                  "t": p.TTestIndPower().power(d, n1, alpha, ratio, alternative=side),
                  "z": p.NormalIndPower().power(d, n1, alpha, ratio, alternative=side)})
values["two_means"] = means
values["one_mean"] = [{"effect": d, "n": n, "power": p.TTestPower().power(d, n, 0.05)} for d, n in [(0.5, 20), (0.1, 900), (1.5, 4)]]
values["anova"] = [{"effect": f, "n": n, "k": k, "alpha": a, "power": p.FTestAnovaPower().power(f, n, a, k)}
                   for f, n, k, a in [(0.1, 800, 4, 0.05), (0.25, 100, 3, 0.01), (0.4, 40, 5, 0.05)]]

proportions = []
for p0, diff, n0, ratio, side in [(0.10, 0.01, 15000, 1.0, "two-sided"), (0.5, -0.1, 300, 2.0, "two-sided"), (0.03, 0.02, 700, 0.5, "larger")]:
    # statsmodels' ratio is control units per treated unit of its second sample; prop2 is the reference.
    n1 = n0 * ratio
    proportions.append({
        "baseline": p0, "effect": diff, "n": n0 + n1, "ratio": ratio, "side": SIDES[side],
        "pooled": float(pr.power_proportions_2indep(diff, p0, n1, ratio=1 / ratio, alternative=side, return_results=False)),
        "arcsine": float(p.NormalIndPower().power(pr.proportion_effectsize(p0 + diff, p0), n0, 0.05, ratio, alternative=side)),
        "unpooled": float(p.normal_power_het(diff, 1, 0.05, std_null=math.sqrt(p0 * (1 - p0) / n0 + (p0 + diff) * (1 - p0 - diff) / n1), alternative=side)),
    })
values["proportions"] = proportions

fisher = []
for p0, p1, n0, n1 in [(0.2, 0.5, 30, 30), (0.1, 0.3, 25, 50), (0.6, 0.2, 12, 17)]:
    total = {"TwoSided": 0.0, "Greater": 0.0, "Less": 0.0, "pooled": 0.0}
    for x0 in range(n0 + 1):
        for x1 in range(n1 + 1):
            mass = stats.binom.pmf(x0, n0, p0) * stats.binom.pmf(x1, n1, p1)
            table = [[x1, n1 - x1], [x0, n0 - x0]]
            for side, name in [("two-sided", "TwoSided"), ("greater", "Greater"), ("less", "Less")]:
                if stats.fisher_exact(table, alternative=side)[1] <= 0.05:
                    total[name] += mass
            pool = (x0 + x1) / (n0 + n1)
            if 0 < pool < 1:
                z = (x1 / n1 - x0 / n0) / math.sqrt(pool * (1 - pool) * (1 / n0 + 1 / n1))
                if abs(z) >= stats.norm.isf(0.025):
                    total["pooled"] += mass
    fisher.append({"baseline": p0, "effect": p1 - p0, "n": n0 + n1, "ratio": n1 / n0, **total})
values["fisher"] = fisher

counts = []
for r0, lift, n0, ratio, exposure, k in [(1.5, 0.2, 300, 1.0, 1.0, 0.4), (0.3, -0.3, 500, 2.0, 2.0, 0.1)]:
    n1 = n0 * ratio
    counts.append({
        "rate": r0, "effect": lift, "n": n0 + n1, "ratio": ratio, "exposure": exposure, "dispersion": k,
        "negative_binomial": float(r.power_negbin_ratio_2indep(r0 * (1 + lift), r0, n1, 1 / ratio, exposure, 1, 0.05, k, "two-sided", return_results=False)),
        "poisson": float(r.power_poisson_ratio_2indep(r0 * (1 + lift), r0, n1, 1 / ratio, exposure, 1, 0.05, 1, "two-sided", return_results=False)),
    })
values["counts"] = counts


def tost(delta, low, high, sd, n, alpha):
    """Both one-sided t tests reject, two arms of n/2: integral over the scale of the standard error."""
    se, df = sd * math.sqrt(4 / n), n - 2
    t = stats.t.isf(alpha, df)

    def given(s):
        inside = stats.norm.cdf((high - delta) / se - t * s) - stats.norm.cdf((low - delta) / se + t * s)
        return max(inside, 0.0) * stats.chi2.pdf(df * s * s, df) * 2 * df * s

    top = (high - low) / (2 * t * se)
    ends = stats.chi2.ppf([1e-17, 1 - 1e-16], df)
    low_s, high_s = math.sqrt(ends[0] / df), min(top, math.sqrt(ends[1] / df))
    return integrate.quad(given, low_s, high_s, epsabs=1e-13, epsrel=1e-13, limit=400)[0]


values["tost"] = [{"effect": d, "lower": lo, "upper": hi, "sd": sd, "n": n, "power": tost(d, lo, hi, sd, n, 0.05)}
                  for d, lo, hi, sd, n in [(0.0, -0.2, 0.2, 1.0, 800), (0.05, -0.3, 0.4, 1.2, 300), (0.1, -1.0, 1.0, 1.0, 12)]]


def welch(delta, s0, s1, n0, n1, alpha=0.05):
    v0, v1 = s0**2 / n0, s1**2 / n1
    df = (v0 + v1) ** 2 / (v0**2 / (n0 - 1) + v1**2 / (n1 - 1))
    t = stats.t.isf(alpha / 2, df)
    shift = delta / math.sqrt(v0 + v1)
    return stats.nct.sf(t, df, shift) + stats.nct.cdf(-t, df, shift)


values["welch"] = [{"effect": d, "sds": [a, b], "n": n0 + n1, "ratio": n1 / n0, "power": welch(d, a, b, n0, n1)}
                   for d, a, b, n0, n1 in [(0.5, 1.0, 2.5, 60, 120), (0.3, 2.0, 1.0, 500, 50)]]

cluster = []
for d, sd, icc, m, cv, k, ratio in [(0.25, 1.0, 0.05, 30, 0.0, 44, 1.0), (0.4, 1.5, 0.1, 12, 0.6, 60, 2.0)]:
    deff = 1 + ((1 + cv**2) * m - 1) * icc
    k0 = k / (1 + ratio)
    se = sd * math.sqrt(deff / m * (1 / k0 + 1 / (k - k0)))
    t = stats.t.isf(0.025, k - 2)
    cluster.append({"effect": d, "sd": sd, "icc": icc, "m": m, "cv": cv, "n": k, "ratio": ratio,
                    "power": stats.nct.sf(t, k - 2, d / se) + stats.nct.cdf(-t, k - 2, d / se)})
values["cluster"] = cluster

schoenfeld = []
for hr, ratio, p_event in [(0.7, 1.0, 0.4), (1.5, 2.0, 0.2)]:
    share = ratio / (1 + ratio) ** 2
    events = (stats.norm.isf(0.025) + stats.norm.isf(0.2)) ** 2 / (share * math.log(hr) ** 2)
    per_unit = (p_event + ratio * (1 - (1 - p_event) ** hr)) / (1 + ratio)
    schoenfeld.append({"hazard_ratio": hr, "ratio": ratio, "event_share": p_event, "events": events, "units": events / per_unit})
values["schoenfeld"] = schoenfeld

rscript = r"""
options(digits = 17)
f <- function(x) formatC(x, digits = 17, format = "e")
a <- power.t.test(n = 37, delta = 0.6, sd = 1.1, sig.level = 0.05, type = "two.sample", strict = TRUE)$power
b <- power.t.test(n = 25, delta = 0.6, sd = 1.1, sig.level = 0.05, type = "paired", strict = TRUE)$power
c <- power.t.test(n = 37, delta = 0.6, sd = 1.1, sig.level = 0.01, alternative = "one.sided")$power
d <- power.prop.test(n = 400, p1 = 0.2, p2 = 0.27, strict = TRUE)$power
e <- power.prop.test(n = 400, p1 = 0.2, p2 = 0.27, alternative = "one.sided")$power
g <- power.anova.test(groups = 4, n = 12, between.var = 1.2, within.var = 3.5)$power
cat(f(c(a, b, c, d, e, g)), sep = "\n")
"""
numbers = [float(x) for x in subprocess.run(["Rscript", "-e", rscript], capture_output=True, text=True, check=True).stdout.split()]
version = subprocess.run(["Rscript", "-e", "cat(R.version.string)"], capture_output=True, text=True, check=True).stdout
values["r"] = dict(zip(["t_two_sample", "t_paired", "t_one_sided", "prop_two_sided", "prop_one_sided", "anova"], numbers))

json.dump(
    {
        "source": f"statsmodels {statsmodels.__version__}; scipy {scipy.__version__}; {version}; Python {sys.version.split()[0]}",
        "command": "python tests/reference/make/experiment_power.py",
        "date": "2026-11-22",
        "data": [],
        "tolerance": 1e-9,
        "note": "n counts all arms together. two_means, one_mean, anova, proportions, counts: statsmodels; fisher: scipy's fisher_exact on every table; "
                "tost, welch, cluster, schoenfeld: formulas in the script with scipy's distributions; r: power.t.test, power.prop.test (strict = TRUE when two-sided), power.anova.test.",
        "values": values,
    },
    open("tests/reference/experiment_power.json", "w"),
    indent=1,
)
