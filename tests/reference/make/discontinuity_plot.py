"""discontinuity_plot.json: bins and global polynomials of rdrobust's rdplot, on the data of discontinuity.py."""

import warnings

from rdrobust import rdplot

from common import generated, save, software

warnings.filterwarnings("ignore")


def answer(f, y, x, **options):
    plot = rdplot(y=f[y], x=f[x], ci=95, hide=True, **options)
    bins, curve = plot.vars_bins, plot.vars_poly
    columns = ["rdplot_mean_bin", "rdplot_mean_x", "rdplot_mean_y", "rdplot_N", "rdplot_ci_l", "rdplot_ci_r"]
    return dict(
        y=y, x=x, options=options, bins=plot.J,
        table=bins[columns].to_numpy().T, curve=curve.iloc[[0, 250, 499, 500, 750, 999]].to_numpy().T,
    )


if __name__ == "__main__":
    f, senate = generated("discontinuity"), generated("senate").dropna(subset=["vote", "margin"])
    cases = []
    for data, y, x in [(f, "y", "x"), (senate, "vote", "margin")]:
        for rule in ["es", "esmv", "qs", "qsmv", "espr", "esmvpr", "qspr", "qsmvpr"]:
            cases.append(answer(data, y, x, binselect=rule))
        cases.append(answer(data, y, x, p=2))
    cases.append(answer(f, "y", "rounded", binselect="es"))
    save(
        "discontinuity_plot",
        source=software("rdrobust", "numpy", "scipy"),
        data="tests/reference/discontinuity.csv, tests/reference/senate.csv",
        values=cases,
        tolerance=1e-8,
        note=__doc__,
    )
