"""linear_in_means.json: peer effects by two-stage least squares of linearmodels on network means made by matrices; network and rows are drawn here and stand in the fixture.
misclassification.json: shares and differences corrected for errors of labels by maximum likelihood of all counts at once with the inverse of the information, in 40 digits of mpmath; the effect of a class by
the formula of Aigner with derivatives by mpmath."""

import mpmath as mp
import numpy as np
import pandas as pd
from linearmodels.iv import IV2SLS

from common import save, software


def peers():
    rng = np.random.default_rng(8)
    n = 120
    ties = sorted({(min(i, j), max(i, j)) for i, j in rng.integers(0, n - 2, (200, 2)) if i != j})
    a = np.zeros((n, n))
    for i, j in ties:
        a[i, j] = a[j, i] = 1
    degree = a.sum(axis=1)
    g = a / np.maximum(degree, 1)[:, None]
    x, z = rng.standard_normal(n).round(4), rng.uniform(size=n).round(4)
    y = np.linalg.solve(np.eye(n) - 0.4 * g, 1 + x - 0.5 * z + g @ (0.5 * x + z) + rng.standard_normal(n)).round(4)
    d = pd.DataFrame({"one": 1.0, "x": x, "gx": g @ x, "z": z, "gz": g @ z, "isolated": (degree == 0).astype(float), "gy": g @ y, "ggx": g @ g @ x, "ggz": g @ g @ z})
    assert d["isolated"].sum() > 0
    out = {"ties": ties, "x": x, "z": z, "y": y, "names": ["(Intercept)", "x", "peers(x)", "z", "peers(z)", "isolated", "peers(y)"]}
    fit = IV2SLS(y, d[["one", "x", "gx", "z", "gz", "isolated"]], d[["gy"]], d[["ggx", "ggz"]]).fit(cov_type="robust", debiased=True)
    out["estimates"], out["errors"] = fit.params.to_numpy(), fit.std_errors.to_numpy()
    village = np.arange(n) // 6
    fit = IV2SLS(y, d[["one", "x", "gx", "z", "gz", "isolated"]], d[["gy"]], d[["ggx", "ggz"]]).fit(cov_type="clustered", clusters=village, debiased=True)
    out["village"], out["clustered"] = village, fit.std_errors.to_numpy()
    b = fit.params["gy"]
    out["multiplier"] = 1 / (1 - b)
    return out


def likelihood(counts, start, share):
    """Maximum likelihood of binomial counts; `share` gives each count's probability from the parameters."""
    loss = lambda *t: -sum(k * mp.log(p) + (n - k) * mp.log(1 - p) for (k, n), p in zip(counts, share(t)))
    score = [lambda *t, i=i: mp.diff(loss, t, tuple(int(i == j) for j in range(len(t)))) for i in range(len(start))]
    t = mp.findroot(score, start, tol=1e-25)
    t = list(t)
    unit = lambda i, j: tuple(int(i == k) + int(j == k) for k in range(len(t)))
    information = mp.matrix(len(t), len(t))
    for i in range(len(t)):
        for j in range(len(t)):
            information[i, j] = mp.diff(loss, t, unit(i, j))
    return t, information**-1


def labels():
    mp.mp.dps = 40
    tp, fn, tn, fp = 68, 12, 114, 6
    counts = [(tp, tp + fn), (tn, tn + fp)]
    seen = lambda p, s1, s0: p * s1 + (1 - p) * (1 - s0)
    t, v = likelihood(counts + [(1300, 5000)], [mp.mpf("0.84"), mp.mpf("0.94"), mp.mpf("0.27")], lambda t: [t[0], t[1], seen(t[2], t[0], t[1])])
    out = {"counts": [tp, fn, tn, fp], "share": [t[2], mp.sqrt(v[2, 2])]}
    share = lambda t: [t[0], t[1], seen(t[2], t[0], t[1]), seen(t[3], t[0], t[1])]
    t, v = likelihood(counts + [(310, 700), (205, 800)], [mp.mpf("0.84"), mp.mpf("0.94"), mp.mpf("0.48"), mp.mpf("0.26")], share)
    out["difference"] = [t[2] - t[3], mp.sqrt(v[2, 2] + v[3, 3] - 2 * v[2, 3])]

    def effect(d, q, s1, s0):
        p = (q + s0 - 1) / (s1 + s0 - 1)
        return d / (s1 * p / q + s0 * (1 - p) / (1 - q) - 1)

    at = [mp.mpf("0.6"), mp.mpf(1300) / 5000, mp.mpf(tp) / (tp + fn), mp.mpf(tn) / (tn + fp)]
    variances = [mp.mpf("0.05") ** 2] + [r * (1 - r) / n for r, n in zip(at[1:], [5000, tp + fn, tn + fp])]
    slopes = [mp.diff(effect, at, tuple(int(i == j) for j in range(4))) for i in range(4)]
    out["effect"] = [effect(*at), mp.sqrt(sum(s**2 * v for s, v in zip(slopes, variances)))]
    return {k: [float(x) for x in v] for k, v in out.items()}


if __name__ == "__main__":
    save(
        "linear_in_means",
        values=peers(),
        source=software("linearmodels", "numpy", "pandas"),
        data=["in the fixture"],
        tolerance=1e-9,
        note="Errors: HC1 with n/(n - k); clustered by village with G/(G - 1) (n - 1)/(n - k).",
    )
    save(
        "misclassification",
        values=labels(),
        source=software("mpmath"),
        data=["in the fixture"],
        tolerance=1e-8,
        note="Pairs of estimate and standard error: share of 1300 of 5000 labels; difference of 310 of 700 and 205 of 800; effect from a difference of 0.6 (error 0.05) between 1300 labels 1 and 3700 labels 0.",
    )
