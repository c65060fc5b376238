"""dynamic_panel.json: difference and system GMM of a dynamic panel by pydynpd: estimates, robust and Windmeijer errors, Hansen's test, tests for autocorrelation.

`--data` draws the panel anew: 60 firms over 8 years, some years missing, y depends on its lag, on a predetermined and on an exogenous variable. pydynpd needs numpy before 2: an environment of its own."""

import contextlib
import io
import sys

import numpy as np
import pandas as pd

from common import REFERENCE, generated, save, software

COMMANDS = {
    "difference_one": "y L1.y x w | gmm(y, 2:99) gmm(x, 1:99) iv(w) | nolevel onestep",
    "difference_two": "y L1.y x w | gmm(y, 2:99) gmm(x, 1:99) iv(w) | nolevel",
    "collapsed": "y L1.y x w | gmm(y, 2:4) gmm(x, 1:3) iv(w) | nolevel collapse",
    "periods": "y L1.y x w | gmm(y, 2:99) gmm(x, 1:99) iv(w) | nolevel timedumm collapse",
    "two_lags": "y L1.y L2.y x w | gmm(y, 2:4) gmm(x, 2:4) iv(w) | nolevel collapse",
    "system_one": "y L1.y x w | gmm(y, 2:4) gmm(x, 1:3) iv(w) | onestep collapse",
    "system_two": "y L1.y x w | gmm(y, 2:4) gmm(x, 1:3) iv(w) | collapse",
    "system_periods": "y L1.y x w | gmm(y, 2:3) gmm(x, 1:2) iv(w) | timedumm",
}


def draw():
    rng = np.random.default_rng(1991)
    rows = []
    year = rng.normal(size=30) * 0.3
    for i in range(60):
        eta = rng.normal()
        y, x, e = eta / 0.5, rng.normal(), 0.0
        for t in range(20):
            x = 0.6 * x + 0.3 * e + 0.2 * eta + rng.normal()
            w = rng.normal() + 0.1 * t
            e = rng.normal()
            y = 0.5 * y + 0.7 * x + 0.4 * w + eta + year[t] + e
            late = i % 7 == 0 and t < 14
            if t >= 12 and not late and not (i % 11 == 0 and t == 19):
                rows.append((i + 1, 2000 + t, round(y, 4), round(x, 4), round(w, 4)))
    frame = pd.DataFrame(rows, columns=["firm", "year", "y", "x", "w"])
    frame.sample(frac=1, random_state=2).to_csv(REFERENCE / "dynamic_panel.csv", index=False)


def main():
    from pydynpd import regression

    d = generated("dynamic_panel").sort_values(["firm", "year"]).reset_index(drop=True)
    values = {}
    for name, command in COMMANDS.items():
        with contextlib.redirect_stdout(io.StringIO()):
            model = regression.abond(command, d, ["firm", "year"]).models[0]
        t = model.regression_table
        keep = [not v.startswith("year") for v in t["variable"]]
        values[name] = {
            "names": list(t["variable"][keep]),
            "estimates": t["coefficient"][keep],
            "errors": t["std_err"][keep],
            "hansen": [model.hansen.test_value, model.hansen.df],
            "autocorrelation": [a.AR for a in model.AR_list],
            "instruments": model.z_information.num_instr,
            "observations": model.num_obs,
        }
    save(
        "dynamic_panel",
        source=software("pydynpd", "numpy", "pandas"),
        data=["tests/reference/dynamic_panel.csv"],
        values=values,
        tolerance=1e-8,
        note=" ".join(f"{k}: {v};" for k, v in COMMANDS.items()),
    )


if __name__ == "__main__":
    if "--data" in sys.argv:
        draw()
    main()
