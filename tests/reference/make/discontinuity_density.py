"""discontinuity_density.json: tests of a jump of the density by rddensity, on the data of discontinuity.py."""

import warnings

from rddensity import rddensity

from common import generated, save, software

warnings.filterwarnings("ignore")


def answer(f, x, **options):
    fit = rddensity(X=f[x].dropna().to_numpy(), **options)
    return dict(
        x=x, options=options, bandwidths=fit.h.to_numpy(), effective=fit.n[["eff_left", "eff_right"]].to_numpy(),
        densities=fit.hat[["left", "right"]].to_numpy(), errors=fit.sd_jk.to_numpy(),
        statistic=fit.test["t_jk"], p_value=fit.test["p_jk"],
    )


if __name__ == "__main__":
    f, senate = generated("discontinuity"), generated("senate")
    cases = []
    for data, x in [(f, "x"), (f, "rounded"), (senate, "margin")]:
        for kernel in ["triangular", "epanechnikov", "uniform"]:
            for p in [1, 2, 3]:
                cases.append(answer(data, x, p=p, kernel=kernel))
        for rule in ["each", "diff", "sum"]:
            cases.append(answer(data, x, bwselect=rule))
        for rule in ["comb", "diff", "sum"]:
            cases.append(answer(data, x, bwselect=rule, fitselect="restricted"))
        cases.append(answer(data, x, fitselect="restricted", p=3, kernel="epanechnikov"))
        cases.append(answer(data, x, q=2))
    cases.append(answer(f, "x", c=-0.4))
    save(
        "discontinuity_density",
        source=software("rddensity", "numpy", "scipy"),
        data="tests/reference/discontinuity.csv, tests/reference/senate.csv",
        values=cases,
        tolerance=1e-9,
        note=__doc__,
    )
