"""Two-stage BH, Šidák and Hommel by statsmodels, on the p-values of multiplicity_r.json."""
import json
import sys

import numpy as np
import statsmodels
from statsmodels.stats.multitest import multipletests

cases = json.load(open("tests/reference/multiplicity_r.json"))["values"]["adjusted"]
values = {}
for name, case in cases.items():
    p = np.array(case["p"], dtype=float)
    out = {"p": p.tolist(), "sidak": multipletests(p, method="sidak")[1].tolist()}
    for alpha in (0.01, 0.05, 0.1):
        rejected, adjusted, _, _ = multipletests(p, alpha=alpha, method="fdr_tsbky")
        out[f"two_stage_{alpha}"] = {"alpha": alpha, "adjusted": adjusted.tolist(), "rejected": rejected.tolist()}
    values[name] = out
json.dump(
    {
        "source": f"statsmodels {statsmodels.__version__}; Python {sys.version.split()[0]}",
        "command": "python tests/reference/make/multiplicity.py",
        "date": "2026-11-22",
        "data": [],
        "tolerance": 1e-12,
        "note": "two_stage: fdr_tsbky (Benjamini, Krieger & Yekutieli 2006, definition 6); adjusted values are for that alpha.",
        "values": values,
    },
    open("tests/reference/multiplicity.json", "w"),
    indent=1,
)
