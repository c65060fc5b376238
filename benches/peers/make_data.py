"""The data of the timings, seeded, as CSV. Usage: make_data.py FOLDER [NAME...]; files that exist are kept."""

import pathlib
import sys

import numpy as np
import pandas as pd


def ols(rng):
    """1e6 rows, 20 regressors with a common part, 1 000 clusters with a shock each."""
    n, k, groups = 1_000_000, 20, 1_000
    cluster = rng.integers(0, groups, n)
    shared = rng.normal(size=n)
    x = {f"x{j + 1}": rng.normal(size=n) + 0.3 * shared + 0.2 * rng.normal(size=groups)[cluster] for j in range(k)}
    y = 1 + sum((0.5 - 0.05 * j) * v for j, v in enumerate(x.values())) + rng.normal(size=groups)[cluster] + rng.normal(size=n) * (1 + np.abs(shared))
    return dict(y=y, cluster=cluster, **x)


def two_way(rng):
    """1e6 rows, 100 000 units by 1 000 periods, met at random, three regressors that depend on both."""
    n, units, periods = 1_000_000, 100_000, 1_000
    unit, period = rng.integers(0, units, n), rng.integers(0, periods, n)
    a, b = rng.normal(size=units)[unit], rng.normal(size=periods)[period]
    x = {f"x{j}": rng.normal(size=n) + 0.3 * a + 0.3 * b for j in (1, 2, 3)}
    return dict(y=x["x1"] - 0.5 * x["x2"] + 0.2 * x["x3"] + a + b + rng.normal(size=n), unit=unit, period=period, **x)


def low_mobility(rng):
    """100 000 workers, 5 years, 5 000 firms in a chain: movers go to the next firm, one at least for each link, about 2 % a year.

    The graph is connected, but a wage difference travels 5 000 links: alternating projections converge slowly.
    """
    workers, firms, years = 100_000, 5_000, 5
    first = np.sort(rng.integers(0, firms, workers))
    at = np.repeat(first[:, None], years, axis=1)
    # One worker of every firm (where it has one) moves to the next firm in a year drawn at random.
    _, link = np.unique(first, return_index=True)
    extra = rng.choice(workers, int(0.02 * workers * (years - 1)) - len(link), replace=False)
    for worker in np.concatenate([link, extra]):
        year = rng.integers(1, years)
        step = 1 if at[worker, year] < firms - 1 else -1
        at[worker, year:] += step
    at = np.clip(at, 0, firms - 1)
    worker, year = np.repeat(np.arange(workers), years), np.tile(np.arange(years), workers)
    firm = at.ravel()
    a, f = rng.normal(size=workers)[worker], np.cumsum(rng.normal(size=firms) * 0.05)[firm]
    x1 = rng.normal(size=worker.size) + 0.4 * f + 0.2 * a
    x2 = 0.2 * year + rng.normal(size=worker.size) + 0.5 * f
    return dict(y=0.5 * x1 - 0.3 * x2 + a + f + rng.normal(size=worker.size), worker=worker, firm=firm, year=year, x1=x1, x2=x2)


def off_policy(rng):
    """1e6 rounds of ten actions: logged action and its probability, the policy's probabilities and predicted rewards of all."""
    n, k = 1_000_000, 10
    x = rng.normal(size=n)
    p, q = (np.exp(np.outer(x, rng.normal(size=k) * s)) for s in (0.5, 0.7))
    p, q = p / p.sum(1, keepdims=True), q / q.sum(1, keepdims=True)
    action = (p.cumsum(1) < rng.random((n, 1))).sum(1).clip(0, k - 1)
    m = 0.1 + 0.3 * rng.random(k) + 0.05 * np.outer(np.tanh(x), rng.normal(size=k))
    reward = (rng.random(n) < m[np.arange(n), action] + 0.05).astype(int)
    return dict(reward=reward, action=action, logged=p[np.arange(n), action], **{f"q{a}": q[:, a] for a in range(k)}, **{f"m{a}": m[:, a] for a in range(k)})


def bandit(rng):
    """5 000 rounds of ten arms: the reward that each would have earned, and ten features, on which it depends too."""
    n, k = 5_000, 10
    x = rng.normal(size=(n, k))
    chance = 1 / (1 + np.exp(-(x @ rng.normal(size=(k, k)) * 0.3 + np.linspace(-1, 0.5, k))))
    rewards = (rng.random((n, k)) < chance).astype(int)
    return dict(**{f"r{a}": rewards[:, a] for a in range(k)}, **{f"x{j}": x[:, j] for j in range(k)})


def mixed(rng):
    """About 100 MB of an order log: numbers, integers, labels, dates, true/false, blanks, quoted text with commas."""
    n = 1_150_000
    blank = rng.random(n) < 0.03
    amount = np.where(blank, np.nan, np.round(rng.lognormal(3, 1, n), 2))
    day = pd.to_datetime("2024-01-01") + pd.to_timedelta(rng.integers(0, 700 * 86_400, n), unit="s")
    comment = np.array(["", '"fine, thanks"', "ok", "late", '"said ""never again"""', "délicieux"])[rng.integers(0, 6, n)]
    return dict(
        order=np.arange(n) + 10_000_000, customer=np.char.add("c", rng.integers(0, 200_000, n).astype(str)), time=day.strftime("%Y-%m-%d %H:%M:%S"),
        country=np.array(["DE", "FR", "CN", "BR", "US", "JP"])[rng.integers(0, 6, n)], amount=amount, items=rng.integers(1, 12, n),
        price=rng.normal(size=n), score=rng.normal(size=n) * 1e-3, returned=np.array(["true", "false"])[rng.integers(0, 2, n)], comment=comment)


def sample(rng):
    """One skewed column of 100 000 numbers."""
    return dict(y=rng.lognormal(0, 1, 100_000))


def cox(rng):
    """100 000 customers, five regressors, exponential times with censoring, ties by rounding."""
    n = 100_000
    x = {f"x{j + 1}": rng.normal(size=n) for j in range(5)}
    index = sum((0.4 - 0.15 * j) * v for j, v in enumerate(x.values()))
    time, end = rng.exponential(np.exp(-index)), rng.exponential(1.5, n)
    return dict(time=np.maximum(np.round(np.minimum(time, end), 3), 0.001), event=(time <= end).astype(int), **x)


def clustered(rng):
    """100 000 rows in 50 clusters, ten regressors, the first the same within clusters."""
    n, groups = 100_000, 50
    cluster = rng.integers(0, groups, n)
    x = {f"x{j + 1}": rng.normal(size=groups)[cluster] if j == 0 else rng.normal(size=n) for j in range(10)}
    return dict(y=sum(0.1 * v for v in x.values()) + rng.normal(size=groups)[cluster] + rng.normal(size=n), cluster=cluster, **x)


def trees(rng):
    """1 200 000 rows, the last 200 000 held out, 20 uniform regressors of which eight matter (after Friedman 1991), a number and a 0/1 outcome."""
    n = 1_200_000
    x = rng.random((n, 20))
    f = (10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4] + 4 * x[:, 5] * x[:, 6]
         + 3 * (x[:, 7] > 0.7))
    return dict(y=f + 3 * rng.normal(size=n), one=(rng.random(n) < 1 / (1 + np.exp(-(f - 17.8) / 3))).astype(int),
                **{f"x{j + 1}": x[:, j] for j in range(20)})


def experiment(rng):
    """100 000 customers in two arms of one skewed outcome, a small difference."""
    z = rng.permutation(np.arange(100_000) % 2)
    return dict(y=rng.lognormal(0, 1, 100_000) + 0.012 * z, z=z)


def users(rng):
    """10 000 000 users in two arms: sessions, orders and revenue, and the same before the experiment."""
    n = 10_000_000
    before = dict(sessions_b=rng.poisson(2, n) + 1, orders_b=rng.poisson(1, n), revenue_b=np.round(rng.gamma(1, 5, n), 2))
    after = dict(sessions=rng.poisson(2, n) + 1, orders=(before["orders_b"] + rng.poisson(0.5, n)) // 2, revenue=np.round(before["revenue_b"] + rng.gamma(1, 5, n), 2))
    return dict(variant=rng.integers(0, 2, n), **after, **before)


def ranking(rng):
    """1 000 000 customers of a trial in two arms: whether they bought, and a priority that knows a part of the effect."""
    n = 1_000_000
    x = rng.normal(size=n)
    w = rng.integers(0, 2, n)
    chance = 0.1 + 0.04 * w * np.maximum(x, -1)
    return dict(y=(rng.random(n) < chance).astype(int), w=w, priority=x + rng.normal(size=n))


def policies(rng):
    """100 000 customers, ten features, scores of three arms: the best arm depends on two thresholds, and the noise is eight times the effect."""
    n = 100_000
    x = rng.random((n, 10))
    best = np.where(x[:, 0] > 0.4, np.where(x[:, 2] > 0.5, 2, 0), np.where(x[:, 1] > 0.7, 1, 0))
    scores = 0.25 * (best[:, None] == np.arange(3)) + 2 * rng.normal(size=(n, 3))
    return dict(**{f"s{k}": scores[:, k] for k in range(3)}, **{f"x{j + 1}": x[:, j] for j in range(10)})


def effects(rng):
    """Setup A of Nie & Wager (2021): 10 000 rows to learn from and 10 000 to predict, ten features, the means m and e, and the effect."""
    n = 20_000
    x = rng.random((n, 10))
    wave = np.sin(np.pi * x[:, 0] * x[:, 1])
    e = np.clip(wave, 0.1, 0.9)
    effect = (x[:, 0] + x[:, 1]) / 2
    base = wave + 2 * (x[:, 2] - 0.5) ** 2 + x[:, 3] + 0.5 * x[:, 4]
    w = (rng.random(n) < e).astype(int)
    y = base + (w - 0.5) * effect + rng.normal(size=n)
    return dict(y=y, w=w, m=base + (e - 0.5) * effect, e=e, effect=effect, **{f"x{j + 1}": x[:, j] for j in range(10)})


def uplift(rng):
    """A trial of two arms with an outcome of 0 and 1: 100 000 rows to learn from and 10 000 to predict, five features of ten values and five of any,
    and the effect."""
    n = 110_000
    x = np.hstack([np.floor(10 * rng.random((n, 5))), rng.random((n, 5))])
    w = (rng.random(n) < 0.5).astype(int)
    effect = 0.04 * (x[:, 0] - 3)
    y = (rng.random(n) < 0.3 + 0.02 * x[:, 2] + w * effect).astype(int)
    return dict(y=y, w=w, effect=effect, **{f"x{j + 1}": x[:, j] for j in range(10)})


def observed(rng):
    """1e6 rows, 20 features, a dose d and a treatment w that depend on three of them, effects of one, no other confounder."""
    n = 1_000_000
    x = rng.normal(size=(n, 20))
    line = 0.5 * x[:, 0] - 0.3 * x[:, 1] + 0.2 * x[:, 2]
    w = (rng.random(n) < 1 / (1 + np.exp(-line))).astype(int)
    d = line + rng.normal(size=n)
    y = d + w + x[:, 0] + 0.5 * x[:, 3] + rng.normal(size=n)
    return dict(y=y, d=d, w=w, **{f"x{j + 1}": x[:, j] for j in range(20)})


def discontinuity(rng):
    """1e6 rows, a running variable that is densest at its cutoff 0, a mean that bends differently on both sides and jumps by one half."""
    n = 1_000_000
    x = 2 * rng.beta(2, 2, n) - 1
    right = x >= 0
    y = 0.5 * right + np.where(right, 0.8 * x - 1.5 * x**2 + x**3, 1.3 * x + 2 * x**2) + 0.5 * rng.normal(size=n)
    return dict(y=y, x=x)


def matching(rng):
    """100 000 rows, ten covariates that hang together, a treatment that depends on three of them, effects that differ."""
    n = 100_000
    x = rng.normal(size=(n, 10)) + 0.5 * rng.normal(size=(n, 1))
    w = (rng.random(n) < 1 / (1 + np.exp(0.5 - 0.5 * x[:, 0] + 0.3 * x[:, 1] - 0.2 * x[:, 2]))).astype(int)
    y = w * (1 + 0.5 * x[:, 3]) + x[:, 0] + 0.5 * x[:, 1] ** 2 + rng.normal(size=n)
    return dict(y=y, w=w, **{f"x{j + 1}": x[:, j] for j in range(10)})


def roll_out(rng):
    """10 000 units by 20 periods, cohorts that start in periods 3 to 20 or never (0), a covariate that early ones have more of, effects that grow."""
    units, periods = 10_000, 20
    x = rng.normal(size=units)
    start = np.clip(np.round(12 - 2 * x + 6 * rng.normal(size=units)), 3, 27).astype(int)
    start[start > periods] = 0
    unit, period = np.repeat(np.arange(1, units + 1), periods), np.tile(np.arange(1, periods + 1), units)
    s, x = np.repeat(start, periods), np.repeat(x, periods)
    since = np.where(s > 0, period - s, -1)
    level = np.repeat(rng.normal(size=units), periods)
    y = level + 0.05 * period * (1 + x) + np.where(since >= 0, 1 + 0.1 * since, 0) + rng.normal(size=units * periods)
    return dict(unit=unit, period=period, start=s, x=x, y=y)


MAKERS = {"ols": ols, "two_way": two_way, "low_mobility": low_mobility, "mixed": mixed, "sample": sample, "cox": cox, "clustered": clustered, "trees": trees, "experiment": experiment, "users": users, "effects": effects, "ranking": ranking, "policies": policies,
          "uplift": uplift, "off_policy": off_policy, "bandit": bandit, "observed": observed,
          "discontinuity": discontinuity, "matching": matching, "roll_out": roll_out}


def write(path, columns):
    frame = pd.DataFrame(columns)
    if "comment" in frame:
        with open(path, "w", encoding="utf-8") as f:  # the comments are quoted already
            f.write(",".join(frame.columns) + "\n")
            text = [frame[c].map(lambda v: "" if v != v else f"{v:.2f}" if c == "amount" else f"{v:.7g}") if frame[c].dtype.kind == "f"
                    else frame[c].astype(str) for c in frame.columns]
            f.writelines(",".join(row) + "\n" for row in zip(*text))
    else:
        frame.to_csv(path, index=False, float_format="%.6f")


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or MAKERS:
        path = folder / f"{name}.csv"
        if not path.exists():
            partial = path.with_suffix(".partial")
            write(partial, MAKERS[name](np.random.default_rng([2026, list(MAKERS).index(name)])))
            partial.rename(path)
        print(path, f"{path.stat().st_size / 1e6:.0f} MB", file=sys.stderr)
