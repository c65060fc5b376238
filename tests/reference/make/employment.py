"""employment_orthogonal.json: forward orthogonal deviations on the employment panel (employment.csv, from employment.R) by pydynpd: estimates, robust and Windmeijer errors, Hansen's test, tests
for autocorrelation of differenced residuals.

Its test for autocorrelation after one step has scores of the second and is not compared.
pydynpd needs numpy before 2: an environment of its own."""

import contextlib
import io

from common import generated, save, software

COMMANDS = {
    "one": "n L(1:2).n w k | gmm(n, 2:4) gmm(w, 1:3) iv(k) | nolevel fod onestep",
    "two": "n L(1:2).n w k | gmm(n, 2:4) gmm(w, 1:3) iv(k) | nolevel fod",
    "collapsed": "n L(1:2).n w k | gmm(n, 2:4) gmm(w, 1:3) iv(k) | nolevel fod collapse",
    "system": "n L1.n w k | gmm(n, 2:3) gmm(w, 1:2) gmm(k, 1:2) | fod collapse",
    "system_full": "n L1.n w k | gmm(n, 2:99) gmm(w, 1:99) gmm(k, 1:99) | fod",
}


def main():
    from pydynpd import regression

    d = generated("employment").rename(columns={"firm": "id"})
    # For the system it has the weights of a balanced panel, here the years in which there are all firms, and differences of exogenous regressors, of which there are none.
    balanced = d[d.year.between(1978, 1982)].reset_index(drop=True)
    values = {}
    for name, command in COMMANDS.items():
        with contextlib.redirect_stdout(io.StringIO()):
            model = regression.abond(command, balanced if name.startswith("system") else d, ["id", "year"]).models[0]
        t = model.regression_table
        values[name] = {
            "names": list(t["variable"]),
            "estimates": t["coefficient"],
            "errors": t["std_err"],
            "hansen": [model.hansen.test_value, model.hansen.df],
            "autocorrelation": [a.AR for a in model.AR_list],
            "instruments": model.z_information.num_instr,
            "observations": model.num_obs,
        }
    save(
        "employment_orthogonal",
        source=software("pydynpd", "numpy", "pandas"),
        data=["tests/reference/employment.csv"],
        values=values,
        tolerance=1e-8,
        note=" ".join(f"{k}: {v};" for k, v in COMMANDS.items()),
    )


if __name__ == "__main__":
    main()
