"""joint_willingness_free.csv, joint_willingness_calibrated.csv and joint_willingness.json: the joint model of willingness by brute force, sums over a fine grid of
ability and first belief, maximised by BFGS.

Nothing here is shared with the library: signals that were not seen are integrated in closed form given ability and first belief, where the library
integrates over ability and the belief at the choice."""

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import ndtr, ndtri

from common import REFERENCE, generated, save, software

N = 1200


def grid(end):
    """Nodes and weights of both standard normals."""
    global GRID, WEIGHT
    GRID = np.arange(-end, end + 1e-4, 0.25)
    WEIGHT = np.exp(-0.5 * GRID**2)
    WEIGHT /= WEIGHT.sum()


def sample(calibrated):
    rng = np.random.default_rng(20261123 + calibrated)
    sd_a, rho = 0.9, 0.6
    sd_m, v0 = (rho * sd_a, sd_a**2 * (1 - rho**2)) if calibrated else (0.8, 0.5)
    b = 0.0 if calibrated else 0.3
    var_s = 0.5
    x = rng.normal(size=N)
    z, e = rng.normal(size=(2, N))
    mean = 0.2 + 0.4 * x
    a = mean + sd_a * z
    m0 = mean + b + sd_m * (rho * z + np.sqrt(1 - rho**2) * e)
    items = [(rng.uniform(size=N) < 1 / (1 + np.exp(-(c + d * a)))) * 1.0 for c, d in [(0.5, 1.0), (-0.4, 1.3), (0.0, 1.1)]]
    items[2][::7] = np.nan
    report = np.round(ndtr(m0 / np.sqrt(1 + v0) + 0.3 * rng.normal(size=N)) / 0.1) * 0.1
    rating = 3 + 1.2 * m0 + 0.8 * rng.normal(size=N)
    n = rng.integers(0, 3, size=N) * 1.0
    signal = np.where(n > 0, a + np.sqrt(var_s / np.maximum(n, 1)) * rng.normal(size=N), np.nan)
    gain = n * v0 / (n * v0 + var_s)
    m = m0 + gain * (np.where(n > 0, signal, m0) - m0)
    coupon = rng.integers(0, 2, size=N) * 0.5
    part = (-0.1 + 1.2 * coupon + 0.8 * m - 0.5 * v0 * (1 - gain) + rng.normal(size=N) > 0) * 1.0
    success = np.where(part > 0, (a + rng.normal(size=N) > 0) * 1.0, np.nan)
    data = {"x": x, "item_1": items[0], "item_2": items[1], "item_3": items[2], "report": report, "rating": rating, "signals": n, "signal": signal,
            "coupon": coupon, "participates": part, "success": success}
    return pd.DataFrame(data).round(6)


def choice(sign, index):
    return ndtr(sign * index)


def free(p, d):
    """Names: as the library's, signals of known variance 0.5, report on a grid of 0.1."""
    a0, a1, b0, g0, gc, theta, lam, lsa, lsm, atr, lr, lst = p[:12]
    rho, ratio, var_s = np.tanh(atr), np.exp(lr), 0.5
    v0 = ratio * var_s
    u, w = GRID[None, :, None], GRID[None, None, :]
    a = (a0 + a1 * d["x"])[:, None, None] + np.exp(lsa) * u
    m0 = (a0 + a1 * d["x"] + b0)[:, None, None] + np.exp(lsm) * (rho * u + np.sqrt(1 - rho**2) * w)
    n = d["signals"][:, None, None]
    gain = n * ratio / (1 + n * ratio)
    noise = np.where(n > 0, gain**2 * var_s / np.maximum(n, 1), 0)
    center = g0 + gc * d["coupon"][:, None, None] + theta * (m0 + gain * (a - m0)) + lam * v0 * (1 - gain)
    value = choice(2 * d["participates"][:, None, None] - 1, center / np.sqrt(1 + theta**2 * noise))
    low = np.where(d["report"] < 0.05, -np.inf, ndtri(np.clip(d["report"] - 0.05, 0, 1)))[:, None, None]
    high = np.where(d["report"] > 0.95, np.inf, ndtri(np.clip(d["report"] + 0.05, 0, 1)))[:, None, None]
    latent, s = m0 / np.sqrt(1 + v0), np.exp(lst)
    value = value * (ndtr((high - latent) / s) - ndtr((low - latent) / s))
    return total(value, a, p[12:], d)


def calibrated(p, d):
    """Beliefs that are best forecasts, signals seen, a rating on a free scale."""
    a0, a1, g0, gc, theta, lam, lsa, atr, lst, t0, t1, lss = p[:12]
    rho, sd = np.tanh(atr), np.exp(lsa)
    v0, var_s = sd**2 * (1 - rho**2), np.exp(2 * lss)
    u, w = GRID[None, :, None], GRID[None, None, :]
    mean = (a0 + a1 * d["x"])[:, None, None]
    a = mean + sd * u
    m0 = mean + rho * sd * (rho * u + np.sqrt(1 - rho**2) * w)
    n = d["signals"][:, None, None]
    signal = np.nan_to_num(d["signal"])[:, None, None]
    gain = n * v0 / (n * v0 + var_s)
    m = m0 + gain * (signal - m0)
    index = g0 + gc * d["coupon"][:, None, None] + theta * m + lam * v0 * (1 - gain)
    value = choice(2 * d["participates"][:, None, None] - 1, index)
    scale = np.sqrt(var_s / np.maximum(n, 1))
    value = value * np.where(n > 0, np.exp(-0.5 * ((signal - a) / scale) ** 2) / (scale * np.sqrt(2 * np.pi)), 1.0)
    s = np.exp(lst)
    value = value * np.exp(-0.5 * ((d["rating"][:, None, None] - t0 - t1 * m0) / s) ** 2) / (s * np.sqrt(2 * np.pi))
    return total(value, a, p[12:], d)


def total(value, a, items, d):
    a = a[:, :, 0]
    inner = value @ WEIGHT
    success = d["success"][:, None]
    inner = inner * np.where(np.isnan(success), 1.0, ndtr((2 * np.nan_to_num(success) - 1) * a))
    for k in range(3):
        y = d[f"item_{k + 1}"][:, None]
        p = 1 / (1 + np.exp(-(2 * np.nan_to_num(y) - 1) * (items[2 * k] + items[2 * k + 1] * a)))
        inner = inner * np.where(np.isnan(y), 1.0, p)
    return np.log(inner @ WEIGHT).sum()


ITEMS = [f"item_{k}.{what}" for k in (1, 2, 3) for what in ("intercept", "discrimination")]
ITEM_START = [0.5, 1.0, -0.4, 1.3, 0.0, 1.1]
MODELS = [
    ("free", free, 0, ["ability.(Intercept)", "ability.x", "overconfidence.(Intercept)", "choice.(Intercept)", "choice.coupon", "choice.belief",
                       "choice.uncertainty", "ln_sd_ability", "ln_sd_belief", "atanh_rho", "ln_ratio", "ln_sd_report"],
     [0.2, 0.4, 0.3, -0.1, 1.2, 0.8, -0.5, -0.1, -0.2, 0.7, 0.0, -1.2]),
    ("calibrated", calibrated, 1, ["ability.(Intercept)", "ability.x", "choice.(Intercept)", "choice.coupon", "choice.belief", "choice.uncertainty",
                                   "ln_sd_ability", "atanh_rho", "ln_sd_rating", "rating.(Intercept)", "rating.belief", "ln_sd_signal"],
     [0.2, 0.4, -0.1, 1.2, 0.8, -0.5, -0.1, 0.7, -0.2, 3.0, 1.2, -0.35]),
]

values = []
for name, model, kind, names, start in MODELS:
    file = f"joint_willingness_{name}"
    sample(kind).to_csv(REFERENCE / f"{file}.csv", index=False)
    data = {column: values.to_numpy(float) for column, values in generated(file).items()}
    grid(5.0)
    found = minimize(lambda p: -model(p, data), np.array(start + ITEM_START), method="BFGS", options={"gtol": 1e-3})
    found = minimize(lambda p: -model(p, data), found.x, method="BFGS", jac="3-point", options={"gtol": 1e-4})
    grid(8.0)  # customers far out: 3e-4 of the log-likelihood, nothing of where it is highest
    values.append({"model": name, "log_likelihood": model(found.x, data), "names": names + ITEMS, "estimates": found.x})
save(
    "joint_willingness",
    source=software("numpy", "scipy"),
    data="tests/reference/joint_willingness_*.csv",
    values=values,
    tolerance=1e-6,
    note="log-likelihood at its maximum, absolute tolerance; estimates to a hundredth of a standard error",
)
