"""Roll-outs: data drawn with a seed (written to rollout.csv), group-time effects and their aggregates by csdid, event studies by pyfixest, and definitions
written down with numpy where no package has them (the decomposition of two-way fixed effects, imputation with its conservative errors).

    python3 -m venv venv && venv/bin/pip install csdid==0.4.3 pyfixest==0.60.0
    venv/bin/python tests/reference/make/rollout.py
"""

import datetime
import json
import pathlib
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).resolve().parent.parent
YEARS = np.arange(2001, 2008)


def simulate():
    random = np.random.default_rng(20261123)
    rows = []
    for unit in range(1, 151):
        x = round(random.normal(), 3)
        female = int(random.integers(0, 2))
        # Early take-up is likelier for high x.
        score = 0.8 * x + random.gumbel(size=4) * 0.9 + np.array([0.0, 0.1, 0.2, 0.6])
        score[3] -= 1.6 * x
        start = [2003, 2004, 2006, 0][int(np.argmax(score))]
        weight = round(random.uniform(0.5, 2.0), 2)
        level = random.normal()
        for year in YEARS:
            effect = 0.0 if start == 0 or year < start else 0.5 + 0.3 * (year - start) + 0.2 * (start == 2003)
            y = level + 0.1 * (year - 2001) * (1 + x) + effect + 0.5 * random.normal()
            rows.append((unit, (unit - 1) // 5 + 1, int(year), start, int(start > 0 and year >= start), x, female, weight, round(y, 6)))
    return pd.DataFrame(rows, columns=["unit", "village", "year", "start", "treated", "x", "female", "weight", "y"])


def callaway_santanna(data):
    from csdid.att_gt import ATTgt

    out = []
    cases = [
        dict(),
        dict(control="notyettreated"),
        dict(base="universal"),
        dict(control="notyettreated", anticipation=1),
        dict(weights="weight", control="notyettreated"),
        dict(clusters="village"),
        dict(weights="weight", clusters="village", covariates="x + female"),
    ]
    cases += [dict(covariates="x + female", method=m, control=c) for m in ["dr", "ipw", "reg"] for c in ["nevertreated", "notyettreated"]]
    for case in cases:
        formula = f"y ~ {case['covariates']}" if "covariates" in case else "y ~ 1"
        found = ATTgt(
            yname="y", gname="start", idname="unit", tname="year", xformla=formula, data=data.copy(), control_group=case.get("control", "nevertreated"),
            anticipation=case.get("anticipation", 0), clustervar=case.get("clusters"), weights_name=case.get("weights"), cband=False,
        ).fit(est_method=case.get("method", "dr"), base_period=case.get("base", "varying"), bstrap=False)
        mp = found.MP
        se = np.asarray(found.results["se"], float) if hasattr(found, "results") else np.asarray(found.summary_attgt().summary2["Std. Error"], float)
        keep = np.isfinite(se)
        entry = dict(case, cells=[f"ATT({int(g)}, {int(t)})" for g, t, k in zip(mp["group"], mp["t"], keep) if k],
                     att=np.asarray(mp["att"], float)[keep].tolist(), se=se[keep].tolist())
        for kind in ["simple", "group", "calendar", "dynamic"]:
            a = found.aggte(typec=kind, bstrap=False, cband=False).atte
            values = dict(overall=float(a["overall_att"]), overall_se=float(np.ravel(a["overall_se"])[0]))
            if kind != "simple":
                values.update(at=[float(v) for v in a["egt"]], att=np.asarray(a["att_egt"], float).tolist(), se=np.asarray(a["se_egt"], float).ravel().tolist())
            entry[kind] = values
        if not case:
            a = found.aggte(typec="dynamic", balance_e=1, bstrap=False, cband=False).atte
            entry["balanced"] = dict(at=[float(v) for v in a["egt"]], att=np.asarray(a["att_egt"], float).tolist(), se=np.asarray(a["se_egt"], float).ravel().tolist())
        out.append(entry)
    return out


def clean(value):
    if isinstance(value, dict):
        return {k: clean(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(v) for v in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


if __name__ == "__main__":
    data = simulate()
    data.to_csv(HERE / "rollout.csv", index=False)
    values = dict(callaway_santanna=callaway_santanna(data))
    fixture = dict(
        source="csdid 0.4.3, pyfixest 0.60.0; numpy for the rest", command="python tests/reference/make/rollout.py", date=str(datetime.date.today()),
        data="tests/reference/rollout.csv", tolerance=1e-8,
        note="csdid's errors have no factor G/(G - 1). Reference periods, whose effect is 0, are left out or null.",
        values=clean(values),
    )
    (HERE / "rollout.json").write_text(json.dumps(fixture, indent=1) + "\n")
