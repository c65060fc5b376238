"""Roll-outs of published vignettes. County teen employment and minimum wages (`mpdta` of R's did): estimates by csdid, held to those of R's did 2.1 that its repository has
(csdid/test_csdid/r_ref). Medicaid and health insurance (`ehec_data` of the Mixtape sessions): the intervals in the README of R's HonestDiD. The data come with moderndid; this writes
county_employment.csv (one row a county) and health_insurance.csv.

    python3 -m venv venv && venv/bin/pip install csdid==0.4.3 && venv/bin/pip download --no-deps moderndid==0.2.0
    unzip moderndid-0.2.0-*.whl 'moderndid/core/datasets/*' && venv/bin/python tests/reference/make/rollout_published.py
"""

import gzip
import pathlib
import pickle
import sys
import warnings

import numpy as np
from common import REFERENCE, save, software
from csdid.att_gt import ATTgt

warnings.filterwarnings("ignore")

# R's did: estimate and analytical standard error of the twelve group-time effects, then overall effects.
R = {
    "never": (
        [-0.0105032462209624, -0.0704231581031467, -0.137258738889403, -0.100811363085404, 0.00652011242423301, -0.00275081875051882, -0.00459460695286304, -0.0412244715462175,
         0.0305066555832928, -0.00272589288611625, -0.0310871193896889, -0.0260544107191966],
        [0.0232510363681664, 0.0309847667572767, 0.0364356642876865, 0.0343592258346732, 0.0233268051418047, 0.0195585610358817, 0.0177551966592763, 0.0202291807041068,
         0.01503356028013, 0.0163958328955344, 0.0178775113133435, 0.0166554353492522],
        dict(simple=[-0.0399512751551763, 0.0120340127701854], group=[-0.0310182822287484, 0.0124460593209979], dynamic=[-0.0772398214573151, 0.0199649890618494], calendar=[-0.0417004321312822, 0.01597185188456]),
    ),
    "not_yet": (
        [-0.0193723636759221, -0.0783190990620607, -0.136274346328678, -0.100811363085404, -0.00256255094261098, -0.00193924609578875, 0.00466087631997615, -0.0412244715462175,
         0.0297593647610311, -0.0024106128000969, -0.0310871193896889, -0.0260544107191966],
        [0.0223101128836806, 0.0303902285433973, 0.03540338496891, 0.0343592258346732, 0.0225302351453388, 0.019042158605819, 0.0163355842468236, 0.0202291807041068,
         0.0145335416386514, 0.0160312963755178, 0.0178775113133435, 0.0166554353492522],
        dict(simple=[-0.0397636256230437, 0.0120524247873419], group=[-0.030462228112565, 0.0125751201316818], dynamic=[-0.0773993139705847, 0.0195601769463944], calendar=[-0.0442670834758837, 0.0155709044211449]),
    ),
    "never_reg_lpop": (
        [-0.014911237790361, -0.0769963229660512, -0.141080104628588, -0.107544274673046, -0.0020660581184395, -0.00696828306727072, 0.000765525026395888, -0.0415356365293253,
         0.0263658317469803, -0.00475983533866949, -0.028502106413859, -0.0287894881938243],
        [0.0220556930763195, 0.0283597455101496, 0.0348362869536185, 0.0327376926434119, 0.022122286483578, 0.0183457856293695, 0.0191959070328785, 0.0197168736453729,
         0.0140189493226751, 0.0156699660373289, 0.0181320658924703, 0.0161678672536918],
        dict(simple=[-0.0419686124215432, 0.0114448297682151], group=[-0.0329292402290042, 0.0118603087662617], dynamic=[-0.0807817453337615, 0.0187458547114755], calendar=[-0.0445323313531745, 0.0148850278130483]),
    ),
}


def read(name):
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".") / "moderndid" / "core" / "datasets"
    return pickle.load(gzip.open(folder / f"{name}.pkl.gz"))


def main():
    counties = read("mpdta_long")
    wide = counties.pivot(index="countyreal", columns="year", values="lemp")
    first = counties.groupby("countyreal")[["first.treat", "lpop"]].first()
    wide.columns = [f"lemp{year}" for year in wide.columns]
    first.join(wide).rename(columns={"first.treat": "start"}).reset_index().rename(columns={"countyreal": "county"}).astype({"start": int}).to_csv(REFERENCE / "county_employment.csv", index=False)
    states = read("ehec_data")
    states = states.loc[states.year < 2016, ["stfips", "year", "dins", "yexp2"]]
    states = states[states.yexp2.fillna(0) != 2015].astype({"stfips": int, "year": int})
    # States that expand after 2015 are untreated until then.
    states["treated"] = ((states.yexp2 == 2014) & (states.year >= 2014)).astype(int)
    states[["stfips", "year", "dins", "treated"]].to_csv(REFERENCE / "health_insurance.csv", index=False)

    values = {}
    for name, control, method, formula in [("never", "nevertreated", "dr", "1"), ("not_yet", "notyettreated", "dr", "1"), ("never_reg_lpop", "nevertreated", "reg", "lpop"), ("never_dr_lpop", "nevertreated", "dr", "lpop")]:
        found = ATTgt(yname="lemp", gname="first.treat", idname="countyreal", tname="year", xformla=f"lemp ~ {formula}", data=counties.copy(), control_group=control, cband=False).fit(est_method=method, bstrap=False)
        entry = dict(att=np.asarray(found.MP["att"], float), se=np.asarray(found.results["se"], float), overall={})
        for kind in ["simple", "group", "dynamic", "calendar"]:
            a = found.aggte(typec=kind, bstrap=False, cband=False).atte
            entry["overall"][kind] = [float(a["overall_att"]), float(np.ravel(a["overall_se"])[0])]
        if name in R:
            att, se, overall = R[name]
            print(name, np.abs(entry["att"] - att).max(), np.abs(entry["se"] / se - 1).max())
            assert np.allclose(entry["att"], att, rtol=0, atol=1e-8) and np.allclose(entry["se"], se, rtol=1e-8)
            assert all(np.allclose(entry["overall"][k], overall[k], rtol=1e-7) for k in overall)
            entry = dict(att=att, se=se, overall=overall)
        values[name] = entry
    values["insurance"] = dict(
        relative=[[0.5, 0.0240, 0.0672], [1, 0.0170, 0.0720], [1.5, 0.00824, 0.0797], [2, -0.000916, 0.0881]],
        smooth=[[0, 0.0259, 0.0607], [0.01, 0.0132, 0.0787], [0.02, 0.00286, 0.0907], [0.03, -0.00714, 0.101], [0.04, -0.0171, 0.111], [0.05, -0.0271, 0.121]],
    )
    save(
        "rollout_published",
        source="R did 2.1 (through csdid's repository), README of R HonestDiD; " + software("csdid"),
        data=["tests/reference/county_employment.csv", "tests/reference/health_insurance.csv"],
        tolerance=1e-8,
        note="Errors of group-time effects have no factor G/(G - 1). Published sets have a grid of 0.04 standard errors and simulated critical values.",
        values=values,
    )


main()
