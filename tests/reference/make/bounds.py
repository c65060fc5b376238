"""bounds.json: Manski's bounds with and without monotone response and selection, Horowitz and Manski's for missing outcomes, Lee's with the variance of his proposition 3.

By formulas written down here. Variances of means of rows are those of numpy (n - 1); Lee's are without n/(n - 1)."""

import numpy as np
import pandas as pd

from common import generated, save, software


def mean(v):
    return [v.mean(), v.std(ddof=1) / np.sqrt(len(v))]


def manski(y, w, a, b):
    lower = w * (y - b) + (1 - w) * (a - y)
    upper = w * (y - a) + (1 - w) * (b - y)
    y1, y0 = y[w == 1], y[w == 0]
    return {
        "none": [mean(lower), mean(upper)],
        # E[Y(1)] <= E[Y | 1], E[Y(0)] >= E[Y | 0].
        "selection": [mean(lower)[0], y1.mean() - y0.mean()],
        "response": [0.0, mean(upper)[0]],
        "response_down": [mean(lower)[0], 0.0],
        # E[Y(1)] <= E[Y] <= E[Y(0)], and E[Y(1)] >= E[Y | 1] or the worst.
        "down_down": [max(y1.mean(), np.mean(w * y + (1 - w) * a)) - min(y0.mean(), np.mean((1 - w) * y + w * b)), 0.0],
    }


def horowitz(y, w, a, b):
    seen = ~np.isnan(y)
    out = []
    for one, zero in [(a, b), (b, a)]:
        v1, v0 = np.where(seen, y, one)[w == 1], np.where(seen, y, zero)[w == 0]
        out.append([v1.mean() - v0.mean()])
    return out


def trimmed(v, keep):
    """The mean of the lowest share, the quantile, and the variance among them; the outcome at the cut by its fraction."""
    v = np.sort(v)
    m = keep * len(v)
    weight = np.clip(m - np.arange(len(v)), 0, 1)
    mu = weight @ v / m
    return mu, v[int(np.ceil(m)) - 1], weight @ (v - mu) ** 2 / m


def lee(y, d):
    """Lee (2009), proposition 3, when treatment raises selection."""
    s = ~np.isnan(y)
    n, share = len(y), d.mean()
    alpha, rate = s[d == 0].mean(), s[d == 1].mean()
    p = (rate - alpha) / rate
    y1, y0 = y[s & (d == 1)], y[s & (d == 0)]
    control = y0.var() / np.mean(s * (1 - d))
    vp = (1 - p) ** 2 * ((1 - alpha / (1 - p)) / (share * alpha / (1 - p)) + (1 - alpha) / ((1 - share) * alpha))
    out = []
    for sign in [1, -1]:
        mu, q, var = trimmed(sign * y1, 1 - p)
        top = np.mean(s * d) * (1 - p)
        v = var / top + (q - mu) ** 2 * p / top + ((q - mu) / (1 - p)) ** 2 * vp
        out.append([sign * mu - y0.mean(), np.sqrt((v + control) / n)])
    return {"trimmed": p, "bounds": out}


def cells(y, d, c):
    s = ~np.isnan(y)
    total, mass = np.zeros(2), 0.0
    for k in np.unique(c):
        own = c == k
        fit = lee(y[own], d[own])
        share = own.mean() * s[own & (d == 0)].mean()
        total += share * np.array([b[0] for b in fit["bounds"]])
        mass += share
    return (total / mass).tolist()


if __name__ == "__main__":
    d = generated("causal")
    y, w = d["y"].to_numpy(), d["w"].to_numpy(float)
    seen = d["x1"] + 0.6 * w > -0.3
    gaps = np.where(seen, y, np.nan)
    a, b = -8.0, 9.0
    assert y.min() > a and y.max() < b
    save(
        "bounds",
        values={
            "manski": manski(y, w, a, b),
            "horowitz": horowitz(gaps, w, a, b),
            "lee": lee(gaps, w),
            "mirrored": lee(-gaps, w),
            "cells": cells(gaps, w, d["segment"].to_numpy()),
        },
        source=software("numpy", "pandas"),
        data=["tests/reference/causal.csv"],
        tolerance=1e-10,
        note="Outcomes from -8 to 9; seen where x1 + 0.6 w > -0.3; cells are segments.",
    )
