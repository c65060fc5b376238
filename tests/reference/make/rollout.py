"""Roll-outs: data drawn with a seed (written to rollout.csv), group-time effects and their aggregates by csdid, event studies by pyfixest, and definitions
written down with numpy where no package has them (the decomposition of two-way fixed effects, imputation with its conservative errors).

    python3 -m venv venv && venv/bin/pip install csdid==0.4.3 pyfixest==0.60.0
    venv/bin/python tests/reference/make/rollout.py
"""

import datetime
import json
import pathlib
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).resolve().parent.parent
YEARS = np.arange(2001, 2008)


def simulate():
    random = np.random.default_rng(20261123)
    rows = []
    for unit in range(1, 151):
        x = round(random.normal(), 3)
        female = int(random.integers(0, 2))
        # Early take-up is likelier for high x.
        score = 0.8 * x + random.gumbel(size=4) * 0.9 + np.array([0.0, 0.1, 0.2, 0.6])
        score[3] -= 1.6 * x
        start = [2003, 2004, 2006, 0][int(np.argmax(score))]
        weight = round(random.uniform(0.5, 2.0), 2)
        level = random.normal()
        for year in YEARS:
            effect = 0.0 if start == 0 or year < start else 0.5 + 0.3 * (year - start) + 0.2 * (start == 2003)
            y = level + 0.1 * (year - 2001) * (1 + x) + effect + 0.5 * random.normal()
            rows.append((unit, (unit - 1) // 5 + 1, int(year), start, int(start > 0 and year >= start), x, female, weight, round(y, 6)))
    return pd.DataFrame(rows, columns=["unit", "village", "year", "start", "treated", "x", "female", "weight", "y"])


def callaway_santanna(data):
    from csdid.att_gt import ATTgt

    out = []
    cases = [
        dict(),
        dict(control="notyettreated"),
        dict(base="universal"),
        dict(control="notyettreated", anticipation=1),
        dict(weights="weight", control="notyettreated"),
        dict(clusters="village"),
        dict(weights="weight", clusters="village", covariates="x + female"),
    ]
    cases += [dict(covariates="x + female", method=m, control=c) for m in ["dr", "ipw", "reg"] for c in ["nevertreated", "notyettreated"]]
    for case in cases:
        formula = f"y ~ {case['covariates']}" if "covariates" in case else "y ~ 1"
        found = ATTgt(
            yname="y", gname="start", idname="unit", tname="year", xformla=formula, data=data.copy(), control_group=case.get("control", "nevertreated"),
            anticipation=case.get("anticipation", 0), clustervar=case.get("clusters"), weights_name=case.get("weights"), cband=False,
        ).fit(est_method=case.get("method", "dr"), base_period=case.get("base", "varying"), bstrap=False)
        mp = found.MP
        se = np.asarray(found.results["se"], float) if hasattr(found, "results") else np.asarray(found.summary_attgt().summary2["Std. Error"], float)
        keep = np.isfinite(se)
        entry = dict(case, cells=[f"ATT({int(g)}, {int(t)})" for g, t, k in zip(mp["group"], mp["t"], keep) if k],
                     att=np.asarray(mp["att"], float)[keep].tolist(), se=se[keep].tolist())
        for kind in ["simple", "group", "calendar", "dynamic"]:
            a = found.aggte(typec=kind, bstrap=False, cband=False).atte
            values = dict(overall=float(a["overall_att"]), overall_se=float(np.ravel(a["overall_se"])[0]))
            if kind != "simple":
                values.update(at=[float(v) for v in a["egt"]], att=np.asarray(a["att_egt"], float).tolist(), se=np.asarray(a["se_egt"], float).ravel().tolist())
            entry[kind] = values
        if not case:
            a = found.aggte(typec="dynamic", balance_e=1, bstrap=False, cband=False).atte
            entry["balanced"] = dict(at=[float(v) for v in a["egt"]], att=np.asarray(a["att_egt"], float).tolist(), se=np.asarray(a["se_egt"], float).ravel().tolist())
        out.append(entry)
    return out


def regressions(data):
    """Two-way fixed effects, Sun and Abraham's event study and two stages by pyfixest."""
    import pyfixest as pf

    out = {}
    data = data.copy()
    data["time"] = np.where(data.start > 0, data.year - data.start, np.nan)
    for name, weights, cluster in [("plain", None, "unit"), ("weighted", "weight", "village")]:
        static = pf.feols("y ~ treated + x:year | unit + year" if name == "weighted" else "y ~ treated | unit + year", data=data, vcov={"CRV1": cluster}, weights=weights)
        entry = dict(static=[float(static.coef()["treated"]), float(static.se()["treated"])])
        times = sorted(data.time.dropna().unique())
        for t in times:
            data[f"e{int(t) + 10}"] = (data.time == t).astype(float)
        used = [t for t in times if t != -1]
        fit = pf.feols("y ~ " + " + ".join(f"e{int(t) + 10}" for t in used) + " | unit + year", data=data, vcov={"CRV1": cluster}, weights=weights)
        entry["event"] = dict(at=used, att=[float(v) for v in fit.coef()], se=[float(v) for v in fit.se()])
        cells = []
        for g in [2003, 2004, 2006]:
            for t in YEARS:
                if t - g != -1:
                    data[f"c{g}_{t}"] = ((data.start == g) & (data.year == t)).astype(float)
                    cells.append((g, int(t)))
        fit = pf.feols("y ~ " + " + ".join(f"c{g}_{t}" for g, t in cells) + " | unit + year", data=data, vcov={"CRV1": cluster}, weights=weights)
        size = data.groupby("start")[weights].sum() if weights else data.groupby("start").size()
        beta, V = fit.coef().to_numpy(), fit._vcov
        rows = []
        for e in used:
            R = np.array([float(size[g]) if t - g == e else 0.0 for g, t in cells])
            rows.append(R / R.sum())
        R = np.array(rows)
        entry["sun_abraham"] = dict(at=used, att=(R @ beta).tolist(), se=np.sqrt(np.diag(R @ V @ R.T)).tolist())
        if weights is None:
            entry["pre_trends"] = pre_trends(np.array(used), R @ V @ R.T)
            entry["smooth"] = smooth(np.array(used), R @ beta, R @ V @ R.T)
            first, pre = "~ 0 | unit + year", "~ " + " + ".join(f"e{int(t) + 10}" for t in used)
            data["treated_flag"] = data.treated.astype(bool)
            fit = pf.did2s(data.copy(), yname="y", first_stage=first, second_stage="~ treated", treatment="treated_flag", cluster=cluster)
            entry["two_stage"] = [float(fit.coef().iloc[0]), float(fit.se().iloc[0])]
            fit = pf.did2s(data.copy(), yname="y", first_stage=first, second_stage=pre, treatment="treated_flag", cluster=cluster)
            entry["two_stage_event"] = dict(at=used, att=[float(v) for v in fit.coef()], se=[float(v) for v in fit.se()])
        out[name] = entry
    return out


def pre_trends(times, V):
    """Roth (2022): the slope that any significant effect before treatment finds with a given power, by scipy; means of samples that pass by drawing many."""
    from scipy.optimize import brentq
    from scipy.stats import multivariate_normal, norm

    pre = times < 0
    S = V[np.ix_(pre, pre)]
    limit = norm.ppf(0.975) * np.sqrt(np.diag(S))
    trend = times + 1

    def power(slope):
        mean = slope * trend[pre]
        return 1 - multivariate_normal(mean, S, maxpts=400_000, abseps=1e-6, releps=1e-6, seed=1).cdf(limit, lower_limit=-limit)

    out = dict(size=power(0.0), slopes=[brentq(lambda s: power(s) - target, 0, 1, xtol=1e-7) for target in (0.5, 0.8)])
    slope = out["slopes"][0]
    random = np.random.default_rng(1)
    sums, squares, passed = 0.0, 0.0, 0
    for _ in range(40):
        draws = random.multivariate_normal(slope * trend, V, size=100_000)
        draws = draws[(np.abs(draws[:, pre]) <= limit).all(axis=1)]
        sums, squares, passed = sums + draws.sum(axis=0), squares + (draws**2).sum(axis=0), passed + len(draws)
    mean = sums / passed
    out.update(passed=mean.tolist(), passed_error=np.sqrt((squares / passed - mean**2) / passed).tolist())
    return out


def smooth(times, beta, V):
    """Rambachan and Roth's fixed-length intervals for smooth differences in trends by definition: the largest bias of given weights as a linear programme over
    differences in trends, the half-length by scipy's normal, minimised over all weights that a linear trend does not bias."""
    from scipy.optimize import brentq, linprog, minimize
    from scipy.stats import norm

    pre, post = np.nonzero(times < 0)[0], np.nonzero(times >= 0)[0]
    grid = np.arange(times.min(), times.max() + 1)
    second = np.zeros((len(grid) - 2, len(grid)))
    for k in range(len(grid) - 2):
        second[k, k:k + 3] = 1, -2, 1
    fix = (grid == -1).astype(float)[None]

    def interval(l, M):
        def parts(free):
            v = np.append(free, 0.0)
            v[-1] = (l @ (times[post] + 1) - v[:-1] @ (-1 - times[pre][:-1])) / (-1 - times[pre][-1])
            w = np.zeros(len(times))
            w[pre], w[post] = v, l
            return w, np.sqrt(w @ V @ w)

        def bias(w):
            c = np.array([w[times == t][0] if (times == t).any() else 0.0 for t in grid])
            found = linprog(-c, A_ub=np.vstack([second, -second]), b_ub=np.full(2 * len(second), M), A_eq=np.vstack([fix, (grid == 0).astype(float)[None]]), b_eq=[0, 0], bounds=(None, None))
            return -found.fun

        def half(free):
            w, se = parts(free)
            b = bias(w) if M > 0 else 0.0
            return se * brentq(lambda c: norm.cdf(c - b / se) - norm.cdf(-c - b / se) - 0.95, 0, b / se + 10, xtol=1e-14)

        best = np.zeros(len(pre) - 1)
        for _ in range(6):
            best = minimize(half, best, method="Nelder-Mead", options=dict(xatol=1e-10, fatol=1e-14, maxiter=4000, initial_simplex=None)).x
        w, se = parts(best)
        return [float(w @ beta), float(se), float(bias(w)) if M > 0 else 0.0, float(half(best))]

    first, even = (times[post] == 0).astype(float), np.full(len(post), 1 / len(post))
    return dict(bounds=[0.0, 0.01, 0.05, 0.2], first=[interval(first, M) for M in [0.0, 0.01, 0.05, 0.2]], even=[interval(even, M) for M in [0.0, 0.01, 0.05, 0.2]])


def stacks(data):
    """Stacked regressions of hand-made stacks by pyfixest's feols; controls count by the treated rows of their period."""
    import pyfixest as pf

    before, after = 2, 1
    parts = []
    for g in [2003, 2004, 2006]:
        part = data[((data.start == g) | (data.start == 0) | (data.start > g + after)) & data.year.between(g - before, g + after)].copy()
        on = part.start == g
        part["stack"], part["event"] = g, np.where(on, part.year - g, -1)
        rows = lambda side: part.year.map(part[side].groupby("year").size())
        part["q"] = np.where(on, 1.0, rows(on) / rows(~on))
        parts.append(part)
    stacked = pd.concat(parts)
    stacked["su"], stacked["sy"] = stacked["stack"] * 1000 + stacked.unit, stacked["stack"] * 10000 + stacked.year
    for e in [-2, 0, 1]:
        stacked[f"e{e + 10}"] = (stacked.event == e).astype(float)
    out = {}
    for name, weights in [("unweighted", None), ("weighted", "q")]:
        fit = pf.feols("y ~ e8 + e10 + e11 | su + sy", data=stacked, vcov={"CRV1": "unit"}, weights=weights)
        out[name] = dict(att=[float(v) for v in fit.coef()], se=[float(v) for v in fit.se()])
    return out


def gapped(data):
    """Without some rows, by their place."""
    return data[np.arange(len(data)) % 23 != 7]


def stacks_and_projections(data):
    """Stacked regressions, also with gaps, and local projections by pyfixest's lpdid."""
    import pyfixest as pf

    out = stacks(data)
    out["gaps"] = stacks(gapped(data))
    fit = pf.lpdid(data.rename(columns={"start": "g"})[["unit", "year", "g", "y"]].copy(), yname="y", idname="unit", tname="year", gname="g", vcov={"CRV1": "unit"}, pre_window=2, post_window=3, att=False).tidy()
    out["projections"] = dict(at=[int(str(i).split("::")[1]) for i in fit.index], att=[float(v) for v in fit["Estimate"]], se=[float(v) for v in fit["Std. Error"]])
    return out


def dense(data, covariates=()):
    """Dummies of units and years, and covariates."""
    parts = [pd.get_dummies(data.unit).to_numpy(float), pd.get_dummies(data.year).to_numpy(float)[:, 1:]]
    parts += [data[[c]].to_numpy(float) for c in covariates]
    return np.hstack(parts)


def imputation(data, weights=None, cluster="unit"):
    """Borusyak, Jaravel and Spiess with dense matrices: v = w on treated rows, minus its projection on untreated ones; equation 8 for treated residuals."""
    s = data[weights].to_numpy(float) if weights else np.ones(len(data))
    y, treated = data.y.to_numpy(), data.treated.to_numpy() == 1
    Z = dense(data)
    Z0 = Z[~treated]
    inverse = np.linalg.inv(Z0.T @ (s[~treated, None] * Z0))
    effect = y - Z @ (inverse @ Z0.T @ (s[~treated] * y[~treated]))
    time = (data.year - data.start).where(data.start > 0)

    def mean(rows):
        v = np.where(rows, s, 0.0) / s[rows].sum()
        estimate = float(v @ effect)
        untreated = -s * (Z @ (inverse @ (Z.T @ v)))
        weight = np.where(treated, v, untreated)
        epsilon = effect.copy()
        for _, index in data[rows].groupby(["start", "year"]).groups.items():
            index = np.asarray(index)
            by = pd.DataFrame(dict(c=data[cluster].iloc[index], v=v[index], ve=v[index] * effect[index])).groupby("c").sum()
            epsilon[index] -= (by.v * by.ve).sum() / (by.v**2).sum()
        sums = pd.Series(weight * epsilon).groupby(data[cluster].to_numpy()).sum()
        return estimate, float(np.sqrt((sums**2).sum()))

    times = sorted(time[treated].unique())
    each = [mean((time == t).to_numpy()) for t in times]
    return dict(att=list(mean(treated)), at=times, event=[e[0] for e in each], event_se=[e[1] for e in each])


def two_stage(data, weights=None, cluster="unit"):
    """Gardner's estimator as stacked moments with dense matrices: pyfixest solves for the effects to about six digits only."""
    s = data[weights].to_numpy(float) if weights else np.ones(len(data))
    y, treated = data.y.to_numpy(), data.treated.to_numpy() == 1
    Z = dense(data)
    Z0 = np.where(treated[:, None], 0.0, Z)
    inverse = np.linalg.inv(Z0.T @ (s[:, None] * Z0))
    residual = y - Z @ (inverse @ Z0.T @ (s * y))
    time = (data.year - data.start).where(data.start > 0).to_numpy()
    times = sorted(set(time[np.isfinite(time)]))
    X = np.column_stack([time == t for t in times]).astype(float)
    bread = np.linalg.inv(X.T @ (s[:, None] * X))
    beta = bread @ X.T @ (s * residual)
    scores = (s * (residual - X @ beta))[:, None] * X - (s * residual)[:, None] * (Z0 @ inverse @ (Z.T @ (s[:, None] * X)))
    sums = pd.DataFrame(scores).groupby(data[cluster].to_numpy()).sum().to_numpy()
    V = bread @ sums.T @ sums @ bread
    return dict(at=[float(t) for t in times], att=beta.tolist(), se=np.sqrt(np.diag(V)).tolist())


def bacon(data):
    """Every pair of cohorts over the periods in which exactly one of them changes treatment, by definition: the coefficient of a regression on those rows, and the variance of its treatment."""
    out = []
    starts = sorted(data.start.unique(), key=lambda g: (g == 0, g))
    for i, early in enumerate(starts):
        for late in starts[i + 1:]:
            stop = late if late > 0 else 9999
            windows = [("early", early, late, data.year < stop)] if early > 2001 else []
            if late > 0:
                windows.append(("late", late, early, data.year >= early))
            for kind, treated, control, window in windows:
                part = data[window & data.start.isin([early, late])]
                d = part.treated - part.treated.groupby(part.unit).transform("mean") - part.treated.groupby(part.year).transform("mean") + part.treated.mean()
                estimate = float((d * part.y).sum() / (d * part.treated).sum())
                # The share of the whole sample squared times the variance of the treatment left: equal to the printed formulas.
                pair = data[data.start.isin([early, late])]
                weight = (len(part) / len(data)) ** 2 * float((d * d).mean())
                out.append(dict(treated=int(treated), control=int(control), kind=kind, estimate=estimate, weight=weight))
    total = sum(c["weight"] for c in out)
    for c in out:
        c["weight"] /= total
    return out


def weights_of_two_way(data):
    d = data.treated - data.treated.groupby(data.unit).transform("mean") - data.treated.groupby(data.year).transform("mean") + data.treated.mean()
    beta = float((d * data.y).sum() / (d * data.treated).sum())
    w = d[data.treated == 1].to_numpy()
    w = w / w.mean()
    n = len(w)
    sigma = np.sqrt(((w - 1) ** 2).mean())
    order = np.sort(w)[::-1]
    P = np.cumsum(np.full(n, 1 / n)[::-1])[::-1]
    S = np.cumsum((order / n)[::-1])[::-1]
    T = np.cumsum((order**2 / n)[::-1])[::-1]
    with np.errstate(divide="ignore"):
        s = np.nonzero(order < -S / (1 - P))[0]
    opposite = None if not len(s) or w.min() >= 0 else abs(beta) / np.sqrt(T[s[0]] + S[s[0]] ** 2 / (1 - P[s[0]]))
    return dict(beta=beta, treated=n, negative=int((w < -1e-12).sum()), negative_sum=float(w[w < 0].sum() / n), zero=abs(beta) / sigma, opposite=opposite)


def clean(value):
    if isinstance(value, dict):
        return {k: clean(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(v) for v in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


if __name__ == "__main__":
    data = simulate()
    data.to_csv(HERE / "rollout.csv", index=False)
    ever = data[data.start > 0].reset_index(drop=True)
    values = dict(
        callaway_santanna=callaway_santanna(data), regressions=regressions(data), stacks=stacks_and_projections(data), imputation=imputation(data),
        imputation_weighted=imputation(data, "weight", "village"), two_stage=two_stage(data), two_stage_weighted=two_stage(data, "weight", "village"),
        bacon=bacon(data), two_way_weights=[weights_of_two_way(data), weights_of_two_way(ever)],
    )
    fixture = dict(
        source="csdid 0.4.3, pyfixest 0.60.0; numpy for the rest", command="python tests/reference/make/rollout.py", date=str(datetime.date.today()),
        data="tests/reference/rollout.csv", tolerance=1e-8,
        note="csdid's errors have no factor G/(G - 1). Reference periods, whose effect is 0, are left out or null.",
        values=clean(values),
    )
    (HERE / "rollout.json").write_text(json.dumps(fixture, indent=1) + "\n")
