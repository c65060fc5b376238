"""joint_blocks_*.csv and joint_blocks.json: the blocks of guarantees, of effort, and of beliefs told without error of the joint model of willingness, by brute force:
sums over a fine grid of ability and first belief, maximised by scores that are differences.

Nothing here is shared with the library. What a guarantee is worth comes from certainty equivalents of quality plus payment, integrated over the noise of the task and
then over the belief, where the library tilts the belief; effort is the best effort at its marginal cost, where the library has what it gains in closed form."""

import numpy as np
import pandas as pd
from scipy.interpolate import CubicSpline
from scipy.special import ndtr, ndtri

from common import REFERENCE, generated, save, software

N = 900
VAR_S = 0.5
LEGENDRE = np.polynomial.legendre.leggauss(60)


def grid(end):
    """Nodes and weights of both standard normals."""
    global GRID, WEIGHT
    GRID = np.arange(-end, end + 1e-4, 0.25)
    WEIGHT = np.exp(-0.5 * GRID**2)
    WEIGHT /= WEIGHT.sum()


def certainty(r, alpha, taste, v, paid, means):
    """Certainty equivalents of taste times quality plus what is paid on failure, at beliefs N(means, v): CARA(r) given ability, CARA(alpha) over it."""
    ability = np.arange(-9, 9.001, 0.05)
    x, w = LEGENDRE
    total = 0
    for low, high, money in [(-10.0, -ability, paid), (-ability, 10.0, 0.0)]:
        half = 0.5 * (high - low)[:, None]
        noise = 0.5 * (high + low)[:, None] + half * x
        total = total + np.sum(half * w * np.exp(-0.5 * noise**2 - r * (taste * (ability[:, None] + noise) + money)), axis=1) / np.sqrt(2 * np.pi)
    inner = CubicSpline(ability, -np.log(total) / r)
    z = np.arange(-8, 8.001, 0.1)
    density = np.exp(-0.5 * z**2) * 0.1 / np.sqrt(2 * np.pi)
    value = inner(means[:, None] + np.sqrt(v) * z)
    level = value.mean(axis=1, keepdims=True)
    return level[:, 0] - np.log(np.exp(-alpha * (value - level)) @ density) / alpha


def sample(kind):
    rng = np.random.default_rng(20261124 + {"guarantee": 0, "effort": 1, "exact": 2}[kind])
    sd_a, rho, sd_m, v0, b = 0.9, 0.6, 0.8, 0.6, 0.3
    x = rng.normal(size=N)
    z, e = rng.normal(size=(2, N))
    mean = 0.2 + 0.4 * x
    a = mean + sd_a * z
    m0 = mean + b + sd_m * (rho * z + np.sqrt(1 - rho**2) * e)
    items = [(rng.uniform(size=N) < 1 / (1 + np.exp(-(c + d * a)))) * 1.0 for c, d in [(0.5, 1.2), (-0.4, 1.5)]]
    latent = m0 / np.sqrt(1 + v0)
    report = ndtr(latent) if kind == "exact" else np.round(ndtr(latent + 0.4 * rng.normal(size=N)) / 0.1) * 0.1
    n = rng.integers(0, 2, size=N) * 2.0
    gain = n * v0 / (n * v0 + VAR_S)
    m = m0 + gain * (a + np.sqrt(VAR_S / np.maximum(n, 1)) * rng.normal(size=N) - m0)
    v = v0 * (1 - gain)
    coupon = rng.integers(0, 3, size=N) * 0.5
    tool = rng.integers(0, 2, size=N) * 1.0
    data = {"x": x, "item_1": items[0], "item_2": items[1], "report": report, "signals": n, "coupon": coupon, "tool": tool}
    theta, lam, money = 0.9, -0.6, 1.2
    index = -0.2 + money * coupon + theta * m + lam * v
    lift = 0.0
    if kind == "guarantee":
        paid = rng.integers(0, 3, size=N) * 1.0
        taste, alpha, r = theta / money, -2 * lam * money / theta**2, 0.6
        means = np.arange(-6, 6.001, 0.1)
        for vn in np.unique(v):
            for level in (1.0, 2.0):
                here = (np.abs(v - vn) < 1e-12) & (paid == level)
                worth = certainty(r, alpha, taste, vn, level, means) - certainty(r, alpha, taste, vn, 0.0, means)
                index[here] += money * np.interp(m[here], means, worth)
        data["guarantee"] = paid
    if kind == "effort":
        gamma, kappa = 0.7, 0.4
        best = np.maximum(0.6 + 0.4 * tool + kappa * m - 0.5 * kappa**2 * v, 0)
        index = index + theta * gamma * (best - 1 + np.exp(-best))
        log = np.maximum(0.6 + 0.4 * tool + kappa * m - 0.5 * kappa**2 * v + 0.5 * rng.normal(size=N), 0)
        lift = gamma * log
        data["effort"] = np.expm1(log)
    part = (index + rng.normal(size=N) > 0) * 1.0
    data["participates"] = part
    data["success"] = np.where(part > 0, (a + lift + rng.normal(size=N) > 0) * 1.0, np.nan)
    if kind == "effort":
        data["effort"] = np.where(part > 0, data["effort"], np.nan)
    return pd.DataFrame(data).round(9)


def beliefs(p, d):
    """Ability and first belief on the grid, the weight of signals, their noise, v_0."""
    a0, a1, b0, theta, lam, lsa, lsm, atr, lr = p
    rho, ratio = np.tanh(atr), np.exp(lr)
    u, w = GRID[None, :, None], GRID[None, None, :]
    a = (a0 + a1 * d["x"])[:, None, None] + np.exp(lsa) * u
    m0 = (a0 + a1 * d["x"] + b0)[:, None, None] + np.exp(lsm) * (rho * u + np.sqrt(1 - rho**2) * w)
    n = d["signals"]
    gain = n * ratio / (1 + n * ratio)
    noise = np.where(n > 0, gain**2 * VAR_S / np.maximum(n, 1), 0)
    return a, m0, gain, noise, ratio * VAR_S


def told(m0, v0, lst, d):
    low = np.where(d["report"] < 0.05, -np.inf, ndtri(np.clip(d["report"] - 0.05, 0, 1)))[:, None, None]
    high = np.where(d["report"] > 0.95, np.inf, ndtri(np.clip(d["report"] + 0.05, 0, 1)))[:, None, None]
    latent, s = m0 / np.sqrt(1 + v0), np.exp(lst)
    return ndtr((high - latent) / s) - ndtr((low - latent) / s)


HERMITE = np.polynomial.hermite_e.hermegauss(9)


def over_news(of, mean, noise):
    """The mean of a function of the belief at the choice over signals that were not seen."""
    x, w = HERMITE
    return sum(k * of(mean + np.sqrt(noise)[:, None, None] * z) for z, k in zip(x, w / w.sum()))


def guarantee(p, d):
    a0, a1, b0, g0, gt, theta, lam, lsa, lsm, atr, lr, lst, r, money = p[:14]
    a, m0, gain, noise, v0 = beliefs((a0, a1, b0, theta, lam, lsa, lsm, atr, lr), d)
    mean = m0 + gain[:, None, None] * (a - m0)
    taste, alpha = theta / money, -2 * lam * money / theta**2
    sign = (2 * d["participates"] - 1)[:, None, None]
    shift = g0 + gt * d["tool"] + money * d["coupon"] + money * 0.5 * r * taste**2
    means = np.arange(-9, 9.001, 0.1)
    value = np.empty(mean.shape)
    for n in np.unique(d["signals"]):
        for paid in np.unique(d["guarantee"]):
            here = (d["signals"] == n) & (d["guarantee"] == paid)
            v = v0 * (1 - gain[here][0])
            worth = CubicSpline(means, certainty(r, alpha, taste, v, paid, means)) if paid > 0 else lambda m, v=v: taste * m - 0.5 * taste**2 * (r + alpha * v)
            of = lambda m: ndtr(sign[here] * (shift[here][:, None, None] + money * worth(np.clip(m, -9, 9))))
            value[here] = over_news(of, mean[here], noise[here])
    value = value * told(m0, v0, lst, d)
    return total(value, a, 0.0, p[14:], d)


def effort(p, d):
    a0, a1, b0, g0, gc, gt, theta, lam, lsa, lsm, atr, lr, lst, e0, et, kappa, lse, gamma = p[:18]
    a, m0, gain, noise, v0 = beliefs((a0, a1, b0, theta, lam, lsa, lsm, atr, lr), d)
    mean = m0 + gain[:, None, None] * (a - m0)
    v = (v0 * (1 - gain))[:, None, None]
    sign = (2 * d["participates"] - 1)[:, None, None]
    seen = ~np.isnan(d["effort"])[:, None, None]
    log = np.log1p(np.nan_to_num(d["effort"]))[:, None, None]
    fixed = (g0 + gc * d["coupon"] + gt * d["tool"])[:, None, None] + lam * v

    def of(m):
        # Marginal cost of effort, in units of the taste shock; the best effort; what it gains.
        cost = theta * gamma * np.exp(-((e0 + et * d["tool"])[:, None, None] + kappa * m - 0.5 * kappa**2 * v))
        best = np.maximum(theta * gamma / cost - 1, 0)
        gained = theta * gamma * np.log1p(best) - cost * best
        latent = np.log(theta * gamma / cost)
        s = np.exp(lse)
        inside = np.exp(-0.5 * ((log - latent) / s) ** 2) / (s * np.sqrt(2 * np.pi))
        shown = np.where(seen, np.where(log > 0, inside, ndtr(-latent / s)), 1.0)
        return ndtr(sign * (fixed + theta * m + gained)) * shown

    value = over_news(of, mean, noise) * told(m0, v0, lst, d)
    return total(value, a, gamma * log[:, :, 0], p[18:], d)


def exact(p, d):
    """m_0 is known; ability given it is the only integral."""
    a0, a1, b0, g0, gc, gt, theta, lam, lsa, lsm, atr, lr = p[:12]
    rho, ratio, sd = np.tanh(atr), np.exp(lr), np.exp(lsm)
    v0 = ratio * VAR_S
    latent = ndtri(d["report"])
    m0 = latent * np.sqrt(1 + v0)
    middle = a0 + a1 * d["x"] + b0
    a = (a0 + a1 * d["x"] + rho * np.exp(lsa) / sd * (m0 - middle))[:, None] + np.exp(lsa) * np.sqrt(1 - rho**2) * GRID
    n = d["signals"][:, None]
    gain = n * ratio / (1 + n * ratio)
    noise = np.where(n > 0, gain**2 * VAR_S / np.maximum(n, 1), 0)
    mean = m0[:, None] + gain * (a - m0[:, None])
    center = (g0 + gc * d["coupon"] + gt * d["tool"])[:, None] + theta * mean + lam * v0 * (1 - gain)
    value = ndtr((2 * d["participates"] - 1)[:, None] * center / np.sqrt(1 + theta**2 * noise))
    scale = sd / np.sqrt(1 + v0)
    density = np.exp(-0.5 * ((latent - middle / np.sqrt(1 + v0)) / scale) ** 2) / (scale * np.sqrt(2 * np.pi))
    return total_of(value * density[:, None], a, 0.0, p[12:], d)


def total(value, a, lift, items, d):
    return total_of(value @ WEIGHT, a[:, :, 0], lift, items, d)


def total_of(inner, a, lift, items, d):
    success = d["success"][:, None]
    inner = inner * np.where(np.isnan(success), 1.0, ndtr((2 * np.nan_to_num(success) - 1) * (a + lift)))
    for k in range(2):
        y = d[f"item_{k + 1}"][:, None]
        inner = inner / (1 + np.exp(-(2 * y - 1) * (items[2 * k] + items[2 * k + 1] * a)))
    return np.log(inner @ WEIGHT)


ITEMS = [f"item_{k}.{what}" for k in (1, 2) for what in ("intercept", "discrimination")]
COMMON = ["ability.(Intercept)", "ability.x", "overconfidence.(Intercept)", "choice.(Intercept)"]
SPREADS = ["choice.belief", "choice.uncertainty", "ln_sd_ability", "ln_sd_belief", "atanh_rho", "ln_ratio"]
# Where the searches begin.
MODELS = [
    ("guarantee", guarantee, COMMON + ["choice.tool"] + SPREADS + ["ln_sd_report", "choice.risk_aversion", "choice.coupon"],
     [0.229, 0.31, 0.258, -0.723, -0.23, 1.332, -0.228, -0.351, -0.522, 0.85, -0.133, -0.632, 0.589, 1.86, 0.522, 1.16, -0.649, 1.975]),
    ("effort", effort, COMMON + ["choice.coupon", "choice.tool"] + SPREADS
     + ["ln_sd_report", "effort.(Intercept)", "effort.tool", "effort.belief", "ln_sd_effort", "success.effort"],
     [0.263, 0.569, 0.38, -0.375, 1.247, 0.091, 0.633, -0.139, 0.068, 0.109, 0.729, 1.305, -1.051, 0.667, 0.374, 0.298, -0.678, 0.849, 0.362, 0.874, -0.515, 1.189]),
    ("exact", exact, COMMON + ["choice.coupon", "choice.tool"] + SPREADS,
     [0.169, 0.423, 0.356, -0.281, 1.247, 0.16, 0.874, -0.682, 0.0, -0.135, 0.691, 0.53, 0.608, 1.126, -0.55, 1.315]),
]


def scores(model, p, data):
    """Scores of the rows, central differences."""
    columns = []
    for k in range(len(p)):
        h = np.zeros(len(p))
        h[k] = 1e-3
        columns.append((model(p + h, data) - model(p - h, data)) / 2e-3)
    return np.column_stack(columns)


if __name__ == "__main__":
    values = []
    for name, model, names, start in MODELS:
        file = f"joint_blocks_{name}"
        sample(name).to_csv(REFERENCE / f"{file}.csv", index=False)
        data = {column: values.to_numpy(float) for column, values in generated(file).items()}
        grid(5.0)
        p = np.array(start)
        for _ in range(4):
            of = scores(model, p, data)
            p = p + np.linalg.solve(of.T @ of, of.sum(axis=0))
        print(name, np.sum(of, axis=0) / np.sqrt(np.sum(of**2, axis=0)), flush=True)
        grid(8.0)  # customers far out
        values.append({"model": name, "log_likelihood": model(p, data).sum(), "names": names + ITEMS, "estimates": p})
    save(
        "joint_blocks",
        source=software("numpy", "scipy"),
        data="tests/reference/joint_blocks_*.csv",
        values=values,
        tolerance=1e-6,
        note="log-likelihood at its maximum, absolute tolerance; estimates to a hundredth of a standard error",
    )
