"""discontinuity.csv, senate.csv and discontinuity.json: regression discontinuity designs by rdrobust.

The data are the first design of Calonico, Cattaneo & Titiunik (2014) with a treatment that follows the cutoff imperfectly, covariates, villages, weights and a
rounded running variable; and margins and later vote shares of the United States Senate (Cattaneo, Frandsen & Titiunik 2015, as rdrobust has them).
Where q > p + 1, rdrobust for Python takes the coefficient of order q instead of p + 1 for the bias in its last bandwidth step (rdrobust for R and the papers do
not): such orders are compared at given bandwidths only."""

import warnings

import numpy as np
import pandas as pd
from rdrobust import rdrobust, rdrobust_RDsenate

from common import REFERENCE, generated, save, software

warnings.filterwarnings("ignore")


def make_data(n=1200):
    rng = np.random.default_rng(20261123)
    x = 2 * rng.beta(2, 4, n) - 1
    z1, z2 = rng.normal(size=(2, n))
    village = rng.integers(0, 60, n)
    right = x >= 0
    mean = np.where(
        right,
        0.52 + 0.84 * x - 3.00 * x**2 + 7.99 * x**3 - 9.01 * x**4 + 3.56 * x**5,
        0.48 + 1.27 * x + 7.18 * x**2 + 20.21 * x**3 + 21.54 * x**4 + 7.33 * x**5,
    )
    shock = 0.05 * rng.normal(size=60)[village]
    y = mean + 0.1 * z1 - 0.05 * z2 + shock + 0.13 * rng.normal(size=n)
    taken = (rng.uniform(size=n) < np.where(right, 0.75 + 0.1 * x, 0.2 + 0.1 * x)).astype(int)
    one_sided = taken * right
    spend = 1 + 0.8 * x + 0.6 * taken + 0.3 * one_sided + 0.2 * z1 + shock + 0.3 * rng.normal(size=n)
    columns = dict(
        x=x, y=y, taken=taken, one_sided=one_sided, spend=spend, z1=z1, z2=z2 + 0.2 * x, village=village,
        weight=rng.uniform(0.5, 2, n), rounded=np.round(x * 25) / 25,
        kinked=np.where(right, 1 + 0.5 * x, 1 - 0.7 * x) + 0.3 * x**2 + 0.1 * rng.normal(size=n),
        dose=np.where(right, 1.5 * x, 0.2 * x) + 0.05 * rng.normal(size=n),
    )
    pd.DataFrame(columns).round(6).to_csv(REFERENCE / "discontinuity.csv", index=False)
    senate = rdrobust_RDsenate()[["state", "margin", "vote", "termshouse", "termssenate"]]
    senate.to_csv(REFERENCE / "senate.csv", index=False)


def answer(f, y, x, covariates=(), fuzzy=None, weights=None, cluster=None, **options):
    columns = dict(y=f[y], x=f[x])
    if covariates:
        columns["covs"] = f[list(covariates)]
    for option, name in [("fuzzy", fuzzy), ("weights", weights), ("cluster", cluster)]:
        if name:
            columns[option] = f[name].to_numpy()
    fit = rdrobust(**columns, **options)
    e = fit.Estimate.to_numpy().ravel()
    out = dict(
        y=y, x=x, covariates=list(covariates), fuzzy=fuzzy, weights=weights, cluster=cluster, options=options,
        estimates=e[:2], errors=e[2:], bandwidths=fit.bws.to_numpy().ravel(), effective=fit.N_h, bias=fit.bias,
    )
    if fuzzy:
        out["first_stage"] = fit.tau_T.to_numpy().ravel()[:2]
        out["first_stage_errors"] = fit.se_T.to_numpy().ravel()[[0, 2]]
    return out


SELECTORS = ["mserd", "msetwo", "msesum", "msecomb1", "msecomb2", "cerrd", "certwo", "cersum", "cercomb1", "cercomb2"]

if __name__ == "__main__":
    make_data()
    f, senate = generated("discontinuity"), generated("senate")
    cases = [answer(f, "y", "x", bwselect=s) for s in SELECTORS]
    cases += [answer(senate, "vote", "margin", bwselect=s) for s in SELECTORS]
    for kernel in ["epa", "uni"]:
        cases += [answer(f, "y", "x", kernel=kernel, bwselect=s) for s in ["mserd", "msecomb2"]]
    for vce in ["hc0", "hc1", "hc2", "hc3"]:
        cases += [answer(f, "y", "x", vce=vce, bwselect=s) for s in ["mserd", "certwo"]]
        cases += [answer(f, "y", "x", vce=vce, covariates=["z1", "z2"], weights="weight")]
    for vce in ["cr1", "cr2", "cr3"]:
        cases += [answer(f, "y", "x", vce=vce, cluster="village", bwselect=s) for s in ["mserd", "cersum"]]
        cases += [answer(f, "y", "x", vce=vce, cluster="village", covariates=["z1", "z2"], kernel="epa")]
        cases += [answer(f, "y", "x", vce=vce, cluster="village", h=0.3)]
        cases += [answer(f, "y", "x", vce=vce, cluster="village", h=[0.2, 0.3], b=[0.45, 0.35])]
    cases += [
        answer(f, "y", "x", covariates=["z1", "z2"]),
        answer(f, "y", "x", covariates=["z1", "z2"], bwselect="msetwo"),
        answer(f, "y", "x", weights="weight"),
        answer(f, "y", "x", scaleregul=0),
        answer(f, "y", "x", nnmatch=5),
        answer(f, "y", "x", p=0),
        answer(f, "y", "x", p=2),
        answer(f, "y", "x", p=1, q=3, h=0.3, b=0.5),
        answer(f, "y", "x", h=0.25),
        answer(f, "y", "x", h=[0.3, 0.2], b=[0.4, 0.1]),
        answer(f, "y", "rounded", masspoints="adjust"),
        answer(f, "y", "rounded", masspoints="check", vce="hc1"),
        answer(f, "y", "rounded", masspoints="off"),
        answer(senate, "vote", "margin", covariates=["termshouse", "termssenate"]),
    ]
    for s in ["mserd", "msetwo", "msecomb2"]:
        cases += [answer(f, "spend", "x", fuzzy="taken", bwselect=s)]
    cases += [
        answer(f, "spend", "x", fuzzy="one_sided"),
        answer(f, "spend", "x", fuzzy="taken", sharpbw=True),
        answer(f, "spend", "x", fuzzy="taken", covariates=["z1", "z2"]),
        answer(f, "spend", "x", fuzzy="taken", covariates=["z1"], vce="hc3", weights="weight"),
        answer(f, "spend", "x", fuzzy="taken", vce="cr1", cluster="village"),
        answer(f, "spend", "x", fuzzy="taken", vce="cr3", cluster="village", covariates=["z1"]),
        answer(f, "kinked", "x", deriv=1),
        answer(f, "kinked", "x", deriv=1, p=1, q=2, bwselect="msetwo"),
        answer(f, "kinked", "x", deriv=1, fuzzy="dose"),
        answer(f, "kinked", "x", deriv=1, fuzzy="dose", covariates=["z1"], vce="hc1"),
    ]
    save(
        "discontinuity",
        source=software("rdrobust", "numpy", "scipy"),
        data="tests/reference/discontinuity.csv, tests/reference/senate.csv",
        values=cases,
        tolerance=1e-8,
        note=__doc__,
    )
