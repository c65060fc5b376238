"""Group-time effects of panels with gaps and of repeated cross-sections by csdid (the estimators of DRDID for repeated cross-sections), on the rows of rollout.csv that are left when some are taken out.

    python3 -m venv venv && venv/bin/pip install csdid==0.4.3
    venv/bin/python tests/reference/make/rollout_pooled.py
"""

import warnings

import numpy as np
from common import generated, save, software
from csdid.att_gt import ATTgt
from csdid.attgt_fnc import drdid_trim

warnings.filterwarnings("ignore")


def kept(data):
    """Rows that the tests keep too."""
    data = data[np.arange(len(data)) * 7 % 11 != 3].copy()
    return data.reset_index(drop=True)


def estimates(data, case):
    formula = f"y ~ {case['covariates']}" if "covariates" in case else "y ~ 1"
    panel = dict(idname="unit", panel=True, allow_unbalanced_panel=True) if case["panel"] else dict(idname=None, panel=False)
    found = ATTgt(
        yname="y", gname="start", tname="year", xformla=formula, data=data.copy(), control_group=case.get("control", "nevertreated"),
        clustervar=case.get("clusters"), weights_name=case.get("weights"), cband=False, **panel,
    ).fit(est_method=case.get("method", "dr"), base_period=case.get("base", "varying"), bstrap=False)
    mp = found.MP
    se = np.asarray(found.results["se"], float)
    keep = np.isfinite(se)
    entry = dict(case, cells=[f"ATT({int(g)}, {int(t)})" for g, t, k in zip(mp["group"], mp["t"], keep) if k], att=np.asarray(mp["att"], float)[keep], se=se[keep])
    for kind in ["simple", "group", "dynamic"]:
        a = found.aggte(typec=kind, bstrap=False, cband=False).atte
        entry[kind] = [float(a["overall_att"]), float(np.ravel(a["overall_se"])[0])]
    return entry


def trimmed():
    """Two periods in which the propensity of some controls is 0.995 or more: they are left out."""
    random = np.random.default_rng(5)
    n = 300
    x = random.normal(size=n).round(3)
    d = (3 * x + random.logistic(size=n) > 0).astype(int)
    x[:2], d[:2] = 3.2, 0
    before = (x + random.normal(size=n)).round(4)
    after = (before + 0.5 * x + d + random.normal(size=n)).round(4)
    found = {}
    for name, estimator in [("ipw", drdid_trim.std_ipw_did_panel), ("dr", drdid_trim.drdid_panel)]:
        att, influence = estimator(after, before, d, x[:, None])
        other = estimator(after, before, d, x[:, None], trim_level=1.0)[0]
        print(name, att, other)
        assert abs(att - other) > 1e-3
        found[name] = [att, np.std(influence) / np.sqrt(n)]
    return dict(x=x, d=d, before=before, after=after, **found)


def main():
    data = kept(generated("rollout"))
    cases = []
    for panel in (True, False):
        cases.append(dict(panel=panel))
        cases.append(dict(panel=panel, control="notyettreated", base="universal", weights="weight"))
        for method in ["reg", "ipw", "dr"]:
            cases.append(dict(panel=panel, method=method, covariates="x + female", control="notyettreated"))
        cases.append(dict(panel=panel, method="dr", covariates="x + female", weights="weight"))
    values = [estimates(data, case) for case in cases]
    for value in values:
        print({k: v for k, v in value.items() if k not in ("cells", "att", "se")})
    save(
        "rollout_pooled",
        source=software("csdid", "drdid", "numpy"),
        data=["tests/reference/rollout.csv"],
        tolerance=1e-7,
        note="Rows i with 7 i mod 11 = 3 are taken out. Errors have no factor G/(G - 1).",
        values=dict(pooled=values, trimmed=trimmed()),
    )


main()
