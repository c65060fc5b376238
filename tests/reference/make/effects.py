"""cluster.json and fe.json: pyfixest's fixed effects and small-sample corrections, checked here against least squares on dummies."""

import warnings

import numpy as np
import pandas as pd
import pyfixest as pf

from common import dataset, generated, names, save, software

warnings.filterwarnings("ignore")

SSC = {
    "default": {},
    "k_none": dict(k_fixef="none"),
    "k_nonnested": dict(k_fixef="nonnested"),
    "k_full": dict(k_fixef="full"),
    "no_k_adj": dict(k_adj=False),
    "no_g_adj": dict(G_adj=False),
    "nothing": dict(k_adj=False, G_adj=False),
    "g_conventional": dict(G_df="conventional"),
    "g_conventional_k_full": dict(G_df="conventional", k_fixef="full"),
}


def fit(formula, frame, vcov, ssc, weights):
    return pf.feols(formula, frame, vcov=vcov, ssc=pf.ssc(**ssc), weights=weights, fixef_tol=1e-12, fixef_maxiter=200_000)


def record(formula, frame, vcovs, *, data, weights=None, effects=(), sample=""):
    base = fit(formula, frame, "iid", {}, weights)
    out = dict(data=data, formula=formula, weights=weights, sample=sample, names=names(base._coefnames), estimates=base._beta_hat,
               n=int(base._N), rows_in=len(frame), covariance={}, std_errors={}, factor={}, df_k={}, df_t={},
               residual_sum_of_squares=float(np.sum(np.asarray(base._u_hat) ** 2)))
    if effects:
        kept = base._data
        out["levels"] = {e: int(kept[e].nunique()) for e in effects}
        dummies = np.hstack([pd.get_dummies(kept[e]).to_numpy(float) for e in effects])
        out["effects_rank_exact"] = int(np.linalg.matrix_rank(dummies))
        out["effects_df_fixest"] = int(sum(out["levels"].values()) - (len(effects) - 1))
        complete = frame.dropna(subset=[c for c in frame.columns if c in formula or c == weights])
        out["rows_missing"] = len(frame) - len(complete)
        out["singletons_dropped"] = len(complete) - int(base._N)
        if formula.count("~") == 1:
            out["within_r_squared"] = float(base._r2_within)
            out["r_squared"] = float(base._r2)
    for label, vcov, variants in vcovs:
        out["covariance"][label], out["std_errors"][label], out["factor"][label] = {}, {}, {}
        out["df_k"][label], out["df_t"][label] = {}, {}
        for variant in variants:
            m = fit(formula, frame, vcov, SSC[variant], weights)
            if variant in ("default", "nothing"):
                out["covariance"][label][variant] = m._vcov
            out["std_errors"][label][variant] = m._se
            out["factor"][label][variant] = np.asarray(m._ssc).ravel()
            out["df_k"][label][variant] = int(m._df_k)
            out["df_t"][label][variant] = float(m._df_t)
    return out


def against_dummies(case, frame, y, xs, effects, weights=None, endogenous=None, instruments=()):
    """The same coefficients from dummies, by least squares (2SLS when there are instruments)."""
    w = np.sqrt(frame[weights].to_numpy()) if weights else np.ones(len(frame))
    d = np.hstack([pd.get_dummies(frame[e]).to_numpy(float) for e in effects])
    x = np.hstack([frame[[*([endogenous] if endogenous else []), *xs]].to_numpy(float), d]) * w[:, None]
    if endogenous:
        z = np.hstack([frame[[*instruments, *xs]].to_numpy(float), d]) * w[:, None]
        x = z @ np.linalg.lstsq(z, x, rcond=None)[0]
    beta = np.linalg.lstsq(x, frame[y].to_numpy() * w, rcond=None)[0]
    order = [*([endogenous] if endogenous else []), *xs]
    got = dict(zip(case["names"], case["estimates"]))
    worst = max(abs(got[n] / b - 1) for n, b in zip(order, beta))
    case["against_dummies_relative"] = float(worst)
    assert worst < 1e-8, (worst, case["formula"])
    print(case["formula"], worst)


ALL = list(SSC)
shops = generated("small_clusters")
SHOPS = "tests/reference/small_clusters.csv"
noted = [v for v in ALL if v not in ("k_none", "k_nonnested", "k_full", "g_conventional_k_full")]
FORMULA_NOTE = (
    "Names as in fixest >= 0.13: K.adj (adj), K.fixef (fixef.K), G.adj (cluster.adj), G.df (cluster.df). "
    "iid: sum of squared residuals / (n-1) times the bread, times (n-1)/(n-K) when K.adj. hetero (HC1): the sandwich times n/(n-K) when K.adj. "
    "Cluster: the sandwich times (n-1)/(n-K) when K.adj times G/(G-1) when G.adj. K = k coefficients (intercept included when there are no effects) "
    "+ effects: none: 0; full: sum of levels - (number of effects - 1); nonnested: full - levels of effects nested in a cluster variable "
    "(any of the cluster variables, the intersection included) + the number of such nested effects. Two-way: V1 + V2 - V12, each times its own "
    "G/(G-1) with G.df conventional, all times min(G)/(min(G)-1) with G.df min (the minimum over V1, V2 and V12 counts, which is that of the one-way clusters). "
    "factor lists the full multiplier of each term. df_t: n - K for iid and hetero, min G - 1 for clusters. Default: K.adj, nonnested, G.adj, min."
)
save(
    "cluster", source=software("pyfixest"), data=[SHOPS], note=FORMULA_NOTE,
    values=dict(
        one_way=record("y ~ treat + x", shops, [("shop", {"CRV1": "shop"}, noted)], data=SHOPS),
        two_way=record("y ~ treat + x", shops, [("shop+week", {"CRV1": "shop+week"}, noted)], data=SHOPS),
        two_way_weighted=record("y ~ treat + x", shops, [("shop+week", {"CRV1": "shop+week"}, noted)], data=SHOPS, weights="weight"),
        hetero=record("y ~ treat + x", shops, [("iid", "iid", ["default", "nothing"]), ("hetero", "hetero", ["default", "nothing"]),
                                              ("HC2", "HC2", ["nothing"]), ("HC3", "HC3", ["nothing"])], data=SHOPS),
        effect_nested=record("y ~ x | shop", shops, [("shop", {"CRV1": "shop"}, ALL), ("week", {"CRV1": "week"}, ALL),
                                                    ("shop+week", {"CRV1": "shop+week"}, ALL)], data=SHOPS, effects=["shop"]),
        jackknife=record("y ~ treat + x", shops, [("CRV3", {"CRV3": "shop"}, ["nothing", "default"])], data=SHOPS),
    ),
)

organ = dataset("organ_donations")
organ["treated"] = ((organ.State == "California") & (organ.Quarter_Num > 3)).astype(float)
cai = dataset("social_insurance_cai2015")
castle = dataset("castle")
three = generated("three_way")
THREE = "tests/reference/three_way.csv"
plain = [("iid", "iid", ["default", "k_none", "k_full", "nothing"]), ("hetero", "hetero", ["default", "k_none", "k_full", "nothing"])]
CAI = ["male", "age", "agpop", "ricearea_2010", "literacy", "intensive", "risk_averse", "disaster_prob"]

values = dict(
    organ_donations=record("Rate ~ treated | State + Quarter", organ, [*plain, ("State", {"CRV1": "State"}, ALL)], effects=["State", "Quarter"],
                           data="datasets/organ_donations.csv", sample="treated = California and Quarter_Num > 3"),
    social_insurance=record(f"takeup_survey ~ {' + '.join(CAI)} | village | pre_takeup_rate ~ default", cai,
                            [*plain, ("address", {"CRV1": "address"}, ALL), ("village", {"CRV1": "village"}, ALL)], effects=["village"],
                            data="datasets/social_insurance_cai2015.csv"),
    social_insurance_reduced_form=record(f"takeup_survey ~ default + {' + '.join(CAI)} | village", cai,
                                         [*plain, ("address", {"CRV1": "address"}, ALL), ("village", {"CRV1": "village"}, ALL)],
                                         effects=["village"], data="datasets/social_insurance_cai2015.csv"),
    castle=record("homicide ~ post | sid + year", castle, [*plain, ("sid", {"CRV1": "sid"}, ALL), ("sid+year", {"CRV1": "sid+year"}, ALL)],
                  effects=["sid", "year"], data="datasets/castle.csv"),
    castle_weighted=record("homicide ~ post | sid + year", castle, [*plain, ("sid", {"CRV1": "sid"}, ALL)], effects=["sid", "year"],
                           weights="popwt", data="datasets/castle.csv"),
)
for k in (1, 2, 3):
    effects = ["worker", "firm", "year"][:k]
    for weights in (None, "weight"):
        label = f"three_way_{k}" + ("_weighted" if weights else "")
        values[label] = record(f"y ~ x1 + x2 | {' + '.join(effects)}", three,
                               [*plain, ("worker", {"CRV1": "worker"}, ALL), ("region", {"CRV1": "region"}, ALL),
                                ("worker+firm", {"CRV1": "worker+firm"}, ALL)],
                               effects=effects, weights=weights, data=THREE)
        against_dummies(values[label], three, "y", ["x1", "x2"], effects, weights)
against_dummies(values["organ_donations"], organ, "Rate", ["treated"], ["State", "Quarter"])
against_dummies(values["castle"], castle, "homicide", ["post"], ["sid", "year"])
against_dummies(values["castle_weighted"], castle, "homicide", ["post"], ["sid", "year"], "popwt")
against_dummies(values["social_insurance_reduced_form"], cai.dropna(subset=CAI), "takeup_survey", ["default", *CAI], ["village"])
against_dummies(values["social_insurance"], cai.dropna(subset=CAI), "takeup_survey", CAI, ["village"], endogenous="pre_takeup_rate", instruments=["default"])
save("fe", source=software("pyfixest", "numpy"), data=["datasets/organ_donations.csv", "datasets/social_insurance_cai2015.csv", "datasets/castle.csv", THREE],
     values=values, note=FORMULA_NOTE + " singletons_dropped counts rows removed, repeatedly until none is left. effects_rank_exact is the rank of the dummies; "
     "effects_df_fixest is what fixest counts. residual_sum_of_squares is of the transformed (root-weighted) residuals. against_dummies_relative: largest relative "
     "difference of the coefficients from least squares on dummies over all rows, singletons included, which do not move them.")
