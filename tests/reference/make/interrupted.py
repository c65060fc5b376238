"""interrupted.json: segmented regressions with Newey-West errors, by statsmodels; the Durbin-Watson statistic; Driscoll-Kraay errors of a series beside its control;
Prais-Winsten estimates, iterated, written down here.

`--data` draws the series anew: monthly orders, a redesign in month 30, seasons, errors that depend on the month before."""

import sys

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from statsmodels.stats.stattools import durbin_watson

from common import REFERENCE, generated, save, software

START, LAGS = 30, 3


def draw():
    rng = np.random.default_rng(12)
    rows = []
    common = rng.normal(size=48)
    for own in (1, 0):
        e = rng.normal()
        for t in range(48):
            after = t >= START
            change = 2.0 * after + 0.2 * (t - START) * after + own * (5.0 * after + 0.4 * (t - START) * after)
            season = 3 * np.sin(2 * np.pi * t / 12)
            rows.append((t, t % 12 + 1, own, round(50 + 10 * own + (0.3 + 0.1 * own) * t + change + season + common[t] + e, 4)))
            e = 0.4 * e + rng.normal()
    frame = pd.DataFrame(rows, columns=["month", "season", "redesigned", "orders"])
    frame.sample(frac=1, random_state=3).to_csv(REFERENCE / "interrupted.csv", index=False)


def columns(d):
    d = d.sort_values(["redesigned", "month"]).reset_index(drop=True)
    d["trend"] = d["month"] - START
    d["after"] = (d["trend"] >= 0).astype(float)
    d["late"] = d["trend"].clip(lower=0)
    return d


def summary(fit):
    keep = [n for n in fit.params.index if n in ("trend", "after", "late", "redesigned:after", "redesigned:late")]
    return {"names": keep, "estimates": fit.params[keep], "errors": fit.bse[keep]}


def prais_winsten(y, x, runs):
    """Iterated; runs: rows of one series in time."""
    rho, n, k = 0.0, *x.shape
    for _ in range(1000):
        def move(v):
            out = []
            for rows in runs:
                u = v[rows]
                out.append(np.concatenate([np.sqrt(1 - rho**2) * u[:1], u[1:] - rho * u[:-1]]))
            return np.concatenate(out)
        xs, ys = move(x), move(y)
        b = np.linalg.lstsq(xs, ys, rcond=None)[0]
        e = y - x @ b
        new = sum(e[r][1:] @ e[r][:-1] for r in runs) / sum(e[r][:-1] @ e[r][:-1] for r in runs)
        done, rho = abs(new - rho) < 1e-14, new
        if done:
            break
    v = np.linalg.inv(xs.T @ xs) * np.square(ys - xs @ b).sum() / (n - k)
    return b, np.sqrt(np.diag(v)), rho


def main():
    d = columns(generated("interrupted"))
    one = d[d["redesigned"] == 1].reset_index(drop=True)
    hac = dict(cov_type="HAC", cov_kwds={"maxlags": LAGS, "use_correction": True})
    plain = smf.ols("orders ~ trend + after + late", one).fit(**hac)
    seasons = smf.ols("orders ~ trend + after + late + C(season)", one).fit(**hac)
    at = np.zeros(len(seasons.params))
    at[list(seasons.params.index).index("after")] = 1
    at[list(seasons.params.index).index("late")] = 10
    t = seasons.t_test(at)
    design = seasons.model.exog.copy()
    for name in ("after", "late"):
        design[:, list(seasons.params.index).index(name)] = 0
    last = design[-1]
    both = smf.ols("orders ~ trend + after + late + redesigned + redesigned:trend + redesigned:after + redesigned:late", d).fit(
        cov_type="nw-groupsum", cov_kwds={"time": d["month"].to_numpy(), "maxlags": LAGS, "use_correction": False, "df_correction": False}
    )
    names = list(seasons.params.index)
    b, se, rho = prais_winsten(seasons.model.endog, seasons.model.exog, [np.arange(48)])
    at = [names.index(n) for n in ("trend", "after", "late")]
    again = both.model
    b2, se2, rho2 = prais_winsten(again.endog, again.exog, [np.arange(48), np.arange(48, 96)])
    at2 = [list(both.params.index).index(n) for n in ("redesigned:after", "redesigned:late")]
    values = {
        "autoregressive": {"rho": [rho, rho2], "estimates": [b[at], b2[at2]], "errors": [se[at], se2[at2]]},
        "plain": summary(plain),
        "seasons": summary(seasons),
        "effect_10": [t.effect[0], t.sd[0][0]],
        "counterfactual_last": [last @ seasons.params, np.sqrt(last @ seasons.cov_params() @ last)],
        "durbin_watson": durbin_watson(seasons.resid),
        "comparison": summary(both),
    }
    save(
        "interrupted",
        source=software("statsmodels", "numpy", "pandas"),
        data=["tests/reference/interrupted.csv"],
        values=values,
        note="Interruption in month 30; three lags; after is level, late is slope. Newey-West with n/(n - K); comparison: Newey-West of sums by month without correction.",
    )


if __name__ == "__main__":
    if "--data" in sys.argv:
        draw()
    main()
