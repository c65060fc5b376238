"""Pre-trend coefficients of imputation (Borusyak, Jaravel & Spiess 2024, section 4.4): least squares of untreated rows on effects of units and periods and indicators of the last periods before treatment, by pyfixest.

    python3 -m venv venv && venv/bin/pip install pyfixest==0.60.0
    venv/bin/python tests/reference/make/imputation_leads.py
"""

import pyfixest as pf
from common import generated, save, software

values = []
for leads, weights, cluster, controls in [(1, None, "unit", ""), (3, None, "unit", ""), (2, "weight", "village", ""), (2, None, "unit", " + x:year")]:
    data = generated("rollout")
    data = data[data.treated == 0].copy()
    names = []
    for lead in range(leads, 0, -1):
        data[f"lead{lead}"] = ((data.start > 0) & (data.year - data.start == -lead)).astype(float)
        names.append(f"lead{lead}")
    fit = pf.feols(f"y ~ {' + '.join(names)}{controls} | unit + year", data=data, vcov={"CRV1": cluster}, weights=weights)
    keep = [list(fit.coef().index).index(name) for name in names]
    covariance = fit._vcov[keep][:, keep]
    values.append(dict(leads=leads, weights=weights, cluster=cluster, covariates=controls[3:] or None, estimates=fit.coef()[names], covariance=covariance))
    print(values[-1])
save("imputation_leads", source=software("pyfixest", "numpy"), data=["tests/reference/rollout.csv"], tolerance=1e-6, values=[{k: v for k, v in value.items() if v is not None} for value in values])
