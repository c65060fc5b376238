"""Where two programs computed the same thing, their fixtures must agree; prints the largest relative difference of each pair."""

import json

import numpy as np

from common import REFERENCE


def load(name):
    return json.loads((REFERENCE / f"{name}.json").read_text())["values"]


def agree(label, a, b, tolerance=1e-10):
    a, b = np.asarray(a, float), np.asarray(b, float)
    worst = float(np.max(np.abs(a - b)) / np.max(np.abs(b)))
    print(f"{worst:9.1e}  {label}")
    assert worst < tolerance, label


cr, cl, r = load("cr2"), load("cluster"), load("cluster_r")
agree("one-way cluster, pyfixest and sandwich", cl["one_way"]["covariance"]["shop"]["default"], r["one_way"]["type_HC1_cadjust"])
agree("one-way cluster without factor", cl["one_way"]["covariance"]["shop"]["nothing"], r["one_way"]["type_HC0_no_cadjust"])
agree("two-way cluster without factor", cl["two_way"]["covariance"]["shop+week"]["nothing"], r["two_way"]["type_HC0_no_cadjust"])
agree("CR0, clubSandwich", cr["ols"]["covariance"]["CR0"], r["one_way"]["type_HC0_no_cadjust"])
agree("CR1S, clubSandwich", cr["ols"]["covariance"]["CR1S"], r["one_way"]["type_HC1_cadjust"])
agree("CR2 with dummies and absorbed", np.array(cr["dummies"]["covariance"]["CR2"])[1:3, 1:3], cr["absorbed"]["covariance"]["CR2"])
h, hr = load("hac"), load("hac_r")
agree("Newey-West, statsmodels and sandwich", h["series"]["covariance"]["lag4"], hr["series"]["newey_west_lag4"])
agree("Newey-West adjusted", h["series"]["covariance"]["lag4_n_over_n_minus_k"], hr["series"]["newey_west_lag4_adjusted"])
for model in ("pooled", "within", "two_way"):
    for lag in (0, 2, 4):
        agree(f"Driscoll-Kraay {model} lag {lag}, pyfixest and plm", h[f"{model}_lag{lag}"]["DK_uncorrected"]["covariance"], hr[model][f"lag{lag}"])
i, ir = load("iv"), load("iv_r")
for case in ("card_just", "card_over", "two_endogenous"):
    a, b = i["fits"][case]["2sls"], ir[case]
    place = [a["names"].index(n) for n in b["names"]]
    agree(f"2SLS {case}", np.array(a["estimates"])[place], b["estimates"])
    for kind in b["covariance"]:
        agree(f"2SLS {case} {kind}", np.array(a["covariance"][kind])[np.ix_(place, place)], b["covariance"][kind], 1e-8)
    for row, f in b["diagnostics_classical"].items():
        if row == "Wu-Hausman":
            agree(f"Wu-Hausman {case}", a["wu_hausman"]["f"], f["statistic"], 1e-8)
        elif row == "Sargan" and "sargan" in a:
            agree(f"Sargan {case}", a["sargan"]["chi2"], f["statistic"], 1e-8)
    s = i["strength"][case]
    endog = [k for k, v in s.items() if isinstance(v, dict)]
    for name in endog:
        row = "Weak instruments" if len(endog) == 1 else f"Weak instruments ({name})"
        agree(f"first-stage F {case} {name}", s[name]["partial_f"]["classical"], b["diagnostics_classical"][row]["statistic"], 1e-8)
o, w, orr = load("ols"), load("wls"), load("ols_r")
for case, fit in (("nsw_adjusted", o["nsw_adjusted"]), ("thornton", o["thornton"]), ("spandana_1", w["spandana_1"])):
    agree(f"log-likelihood {case}", fit["log_likelihood"], orr[case]["log_likelihood"])
    for kind in orr[case]["covariance"]:
        scale = np.sqrt(np.diag(fit["covariance"][kind]))
        agree(f"{kind} {case}", fit["covariance"][kind] / np.outer(scale, scale), np.array(orr[case]["covariance"][kind]) / np.outer(scale, scale))
