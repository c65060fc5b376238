"""The small generated data sets. Rounded to six digits when written, so the file is the data, not the generator."""

import numpy as np
import pandas as pd

from common import REFERENCE


def write(name, columns):
    frame = pd.DataFrame(columns)
    for c in frame.columns:
        if frame[c].dtype.kind == "f":
            frame[c] = frame[c].round(6)
    frame.to_csv(REFERENCE / f"{name}.csv", index=False)
    print(name, frame.shape)


def small_clusters():
    """Few, unequal clusters with a treatment constant within clusters; two further grouping variables that cross them."""
    rng = np.random.default_rng(2001)
    sizes = [3, 4, 6, 7, 9, 10, 12, 15, 18, 22, 27, 35]
    shop = np.repeat(np.arange(1, 13), sizes)
    n = shop.size
    treat = np.isin(shop, [2, 5, 8, 10]).astype(int)
    week = rng.integers(1, 8, n)
    city = rng.integers(1, 6, n)
    x = rng.normal(size=n) + 0.4 * np.repeat(rng.normal(size=12), sizes)
    weight = rng.uniform(0.4, 2.5, n)
    y = (1 + 0.5 * treat - 0.3 * x + np.repeat(rng.normal(0, 0.6, 12), sizes) + rng.normal(0, 0.3, 8)[week]
         + rng.normal(0, 0.3, 6)[city] + rng.normal(size=n) * (1 + 0.5 * np.abs(x)))
    segment = (x + rng.normal(size=n) > 0).astype(int) + 1
    write("small_clusters", dict(shop=shop, week=week, city=city, segment=segment, treat=treat, x=x, weight=weight, y=y))


def series():
    """One time series with autocorrelated regressors and errors, and a balanced panel with a common autocorrelated shock."""
    rng = np.random.default_rng(2002)

    def ar(rho, t):
        e = rng.normal(size=t + 50)
        out = np.zeros(t + 50)
        for i in range(1, t + 50):
            out[i] = rho * out[i - 1] + e[i]
        return out[50:]

    t = 120
    x1, x2 = ar(0.7, t), ar(0.4, t)
    write("series", dict(time=np.arange(1, t + 1), x1=x1, x2=x2, y=2 + 0.8 * x1 - 0.5 * x2 + ar(0.6, t)))
    units, periods = 20, 25
    unit = np.repeat(np.arange(1, units + 1), periods)
    time = np.tile(np.arange(1, periods + 1), units)
    shock, common = ar(0.5, periods), ar(0.6, periods)
    x1 = rng.normal(size=unit.size) + shock[time - 1]
    x2 = rng.normal(size=unit.size) + rng.normal(size=units)[unit - 1]
    y = 1 + 0.6 * x1 - 0.4 * x2 + rng.normal(size=units)[unit - 1] + common[time - 1] + rng.normal(size=unit.size)
    write("panel_shocks", dict(unit=unit, time=time, x1=x1, x2=x2, y=y))


def three_way():
    """Workers, firms and years with singletons that appear only after other singletons are dropped, and weights."""
    rng = np.random.default_rng(2003)
    rows = []
    for w in range(1, 91):
        firm = int(rng.integers(1, 19))
        years = range(2010, 2016) if w <= 70 else range(2010 + int(rng.integers(0, 3)), 2013 + int(rng.integers(0, 3)))
        for year in years:
            if rng.random() < 0.25:
                firm = int(rng.integers(1, 19))
            rows.append((w, firm, year))
    # A worker seen once, a firm seen once, and a chain: worker 203's second row is alone in firm 92 and falls first.
    rows += [(201, 3, 2012), (202, 91, 2011), (202, 4, 2012), (203, 92, 2013), (203, 5, 2014), (204, 6, 2010), (204, 6, 2011), (5, 93, 2017)]
    worker, firm, year = map(np.array, zip(*rows))
    n = worker.size
    a = rng.normal(size=300)[worker]
    f = rng.normal(size=120)[firm]
    t = rng.normal(size=2020)[year]
    x1 = rng.normal(size=n) + 0.5 * a + 0.3 * f
    x2 = rng.normal(size=n) + 0.4 * t
    y = 0.7 * x1 - 0.2 * x2 + a + f + t + rng.normal(size=n) * (0.5 + 0.5 * np.abs(x2))
    region = firm % 4 + 1
    write("three_way", dict(worker=worker, firm=firm, year=year, region=region, x1=x1, x2=x2, weight=rng.uniform(0.3, 3, n), y=y))


def instruments():
    """Two endogenous regressors, four instruments, one exogenous regressor, heteroskedastic and clustered errors."""
    rng = np.random.default_rng(2004)
    n, groups = 400, 40
    group = np.repeat(np.arange(1, groups + 1), n // groups)
    shared = rng.normal(0, 0.5, groups)[group - 1]
    z = rng.normal(size=(n, 4)) + 0.5 * rng.normal(size=(groups, 4))[group - 1]
    x = rng.normal(size=n)
    u = rng.normal(size=n) * (1 + 0.4 * np.abs(z[:, 0])) + shared
    d1 = 0.4 * z[:, 0] + 0.3 * z[:, 1] + 0.1 * z[:, 2] + 0.2 * x + 0.5 * u + rng.normal(size=n)
    d2 = 0.3 * z[:, 2] + 0.4 * z[:, 3] - 0.1 * z[:, 1] - 0.3 * u + rng.normal(size=n)
    y = 1 + 0.8 * d1 - 0.5 * d2 + 0.3 * x + u
    write("instruments", dict(group=group, x=x, z1=z[:, 0], z2=z[:, 1], z3=z[:, 2], z4=z[:, 3], d1=d1, d2=d2, y=y))


def weak():
    """One endogenous regressor of falling strength with valid and invalid instruments: every shape of Anderson-Rubin set."""
    rng = np.random.default_rng(2005)
    n, groups = 240, 30
    group = np.repeat(np.arange(1, groups + 1), n // groups)
    z1, z2, z3 = rng.normal(size=(3, n))
    x = rng.normal(size=n)
    u = rng.normal(size=n) * np.sqrt(0.5 + 0.5 * z1**2)
    v = 0.7 * u + 0.7 * rng.normal(size=n)
    strong = 0.6 * z1 + 0.4 * z2 + 0.2 * z3 + 0.2 * x + v
    weak_ = 0.09 * z1 + 0.02 * z2 + 0.2 * x + v
    none = 0.2 * x + rng.normal(size=n) + 0.5 * u
    write("weak_instruments", dict(group=group, x=x, z1=z1, z2=z2, z3=z3, strong=strong, weak=weak_, none=none,
                                   y_strong=1 + 0.5 * strong + 0.3 * x + u, y_weak=1 + 0.5 * weak_ + 0.3 * x + u,
                                   y_none=1 + 0.5 * none + 0.3 * x + u,
                                   y_invalid=1 + 0.5 * strong + 0.3 * x + u + 0.9 * z3 - 0.5 * z2))


if __name__ == "__main__":
    small_clusters()
    series()
    three_way()
    instruments()
    weak()
