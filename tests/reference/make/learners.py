"""learners.json: scikit-learn's elastic net, and the held-out loss of LightGBM on data that both sides generate bit for bit.

Needs scikit-learn and lightgbm besides numpy and pandas."""

import lightgbm as lgb
import numpy as np
import pandas as pd
from common import ROOT, save, software
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge


def mix(z):
    """SplitMix64's finaliser."""
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def unit(index):
    return ((mix(np.asarray(index, dtype=np.uint64)) >> np.uint64(12)).astype(float) + 0.5) / 2.0**52


def generate(n, offset):
    """Ten uniform features, the seventh (x6) missing where x7 < 0.2, a category of 12 levels, and a noise term."""
    rows = np.arange(n, dtype=np.uint64) + np.uint64(offset)
    x = np.stack([unit(rows * np.uint64(16) + np.uint64(j)) for j in range(10)], axis=1)
    level = np.floor(12 * unit(rows * np.uint64(16) + np.uint64(10))).astype(int)
    noise = unit(rows * np.uint64(16) + np.uint64(11))
    effect = np.array([3, -1, 4, -1, 5, -9, 2, -6, 5, -3, 5, -4], dtype=float) / 3
    gone = x[:, 7] < 0.2
    mean = 10 * x[:, 0] * x[:, 1] + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4] + 4 * (x[:, 5] > 0.6) + np.where(gone, 2.0, 3 * x[:, 6]) + effect[level]
    x[gone, 6] = np.nan
    return x, level, mean, noise


def boosted(task, categories):
    (x, level, mean, noise), (xt, lt, mt, nt) = generate(20_000, 0), generate(20_000, 1_000_000)
    if task == "regression":
        y, yt = mean + 6 * (noise - 0.5), mt + 6 * (nt - 0.5)
    else:
        p = lambda m: 1 / (1 + np.exp(-(m - 17.5) / 2))
        y, yt = (noise < p(mean)).astype(float), (nt < p(mt)).astype(float)
    if categories:
        x, xt = np.column_stack([x, level]), np.column_stack([xt, lt])
    parameters = dict(objective="regression" if task == "regression" else "binary", num_leaves=31, learning_rate=0.1, min_data_in_leaf=20, num_threads=1, deterministic=True, verbose=-1)
    train = lgb.Dataset(x, y, categorical_feature=[10] if categories else [])
    fitted = lgb.train(parameters, train, 100).predict(xt)
    if task == "regression":
        return np.mean((fitted - yt) ** 2)
    return -np.mean(yt * np.log(fitted) + (1 - yt) * np.log(1 - fitted))


def elastic_net():
    card = pd.read_csv(ROOT / "datasets" / "card.csv.gz")
    columns = ["educ", "exper", "expersq", "black", "smsa", "south", "smsa66"] + [f"reg66{k}" for k in range(2, 10)]
    x, y = card[columns].to_numpy(float), card["lwage"].to_numpy(float)
    scale = x.std(axis=0)
    out = {"data": "datasets/card.csv", "outcome": "lwage", "features": columns, "fits": []}
    for alpha in (0.0, 0.3, 1.0):
        for strength in (0.1, 0.01, 0.001):
            if alpha == 0:
                model = Ridge(alpha=strength * len(y), solver="svd")
            else:
                model = ElasticNet(alpha=strength, l1_ratio=alpha, tol=1e-14, max_iter=10**6)
            model.fit((x - x.mean(axis=0)) / scale, y)
            b = model.coef_ / scale
            out["fits"].append({"mixing": alpha, "lambda": strength, "coefficients": [model.intercept_ - b @ x.mean(axis=0), *b]})
    return out


def logistic_ridge():
    mroz = pd.read_csv(ROOT / "datasets" / "mroz.csv")
    columns = ["educ", "exper", "age", "kidslt6", "kidsge6", "nwifeinc"]
    x, y = mroz[columns].to_numpy(float), mroz["inlf"].to_numpy(float)
    scale = x.std(axis=0)
    out = {"data": "datasets/mroz.csv", "outcome": "inlf", "features": columns, "fits": []}
    for strength in (0.1, 0.001):
        model = LogisticRegression(C=1 / (strength * len(y)), tol=1e-14, max_iter=10**6, solver="newton-cholesky")
        model.fit((x - x.mean(axis=0)) / scale, y)
        b = model.coef_[0] / scale
        out["fits"].append({"mixing": 0.0, "lambda": strength, "coefficients": [model.intercept_[0] - b @ x.mean(axis=0), *b]})
    return out


save(
    "learners",
    source=software("scikit-learn", "lightgbm", "numpy"),
    data=["datasets/card.csv", "datasets/mroz.csv"],
    tolerance=1e-6,
    note="Elastic net: coefficients (intercept first) on the raw columns, penalised per standard deviation; objective 1/(2n) |y - xb|^2 + lambda (mixing |b|_1 + (1 - mixing)/2 |b|^2), "
    "logistic: minus the mean log-likelihood in place of the squares. LightGBM: mean squared error and mean log loss on 20 000 further rows of the generator in learners.py (and tests/library/learners.rs), "
    "with a missing feature, with and without a category; 100 rounds, other parameters at their defaults.",
    values={
        "elastic_net": elastic_net(),
        "logistic_ridge": logistic_ridge(),
        "lightgbm": {
            "regression": boosted("regression", False),
            "regression_categories": boosted("regression", True),
            "binary": boosted("binary", False),
            "binary_categories": boosted("binary", True),
        },
    },
)
