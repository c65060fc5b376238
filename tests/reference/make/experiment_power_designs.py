"""Power of designs: rerandomisation, interleaving, a holdout, a surrogate index, a network; by numerical integration and by listing assignments."""

import itertools
import math

import numpy as np
from common import save, software
from scipy import integrate, stats

values = {}
TIGHT = {"epsabs": 1e-14, "epsrel": 1e-13, "limit": 500}


def beyond(k, r2, acceptance, q):
    """P(Q > q), Q = sqrt(1 - R2) e + sqrt(R2) L: L is the radius of k truncated normals times the first coordinate of a direction."""
    a = stats.chi2.ppf(acceptance, k)
    tail = lambda x: stats.norm.sf((q - math.sqrt(r2) * x) / math.sqrt(1 - r2))
    if k == 1:
        inside = lambda r: (tail(r) + tail(-r)) / 2
    else:
        # The first coordinate c of a direction: (1 + c)/2 is Beta((k - 1)/2, (k - 1)/2); c = sin(angle) takes the ends' singularity away.
        scale = math.exp(math.lgamma(k / 2) - math.lgamma((k - 1) / 2)) / math.sqrt(math.pi)
        inside = lambda r: integrate.quad(
            lambda angle: scale * math.cos(angle) ** (k - 2) * tail(r * math.sin(angle)), -math.pi / 2, math.pi / 2, **TIGHT)[0]
    density = lambda r: 2 * r * stats.chi2.pdf(r * r, k) / acceptance
    return integrate.quad(lambda r: density(r) * inside(r), 0, math.sqrt(a), **TIGHT)[0]


def rerandomized(k, r2, acceptance, n, ratio, sd, effect):
    n0 = n / (1 + ratio)
    shift = effect / (sd * math.sqrt(1 / n0 + 1 / (n - n0)))
    low, high = 0.0, stats.norm.isf(0.025) + 1e-6
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if beyond(k, r2, acceptance, middle) > 0.025 else (low, middle)
    z = stats.norm.isf(0.025)
    power = lambda c: beyond(k, r2, acceptance, c - shift) + beyond(k, r2, acceptance, c + shift)
    return {"design": power(low), "usual": power(z)}


values["rerandomized"] = [
    {"covariates": k, "r_squared": r2, "acceptance": a, "n": n, "ratio": ratio, "sd": sd, "effect": d, **rerandomized(k, r2, a, n, ratio, sd, d)}
    for k, r2, a, n, ratio, sd, d in [(1, 0.4, 0.1, 150, 1.0, 2.0, 0.7), (2, 0.7, 0.01, 90, 2.0, 1.0, 0.35), (5, 0.5, 0.001, 400, 0.5, 30.0, -6.0)]
]

preference = []
for ties, delta, n in [(0.6, 0.01, 6000), (0.0, -0.08, 250), (0.8, 0.06, 12)]:
    shift = delta * math.sqrt(n) / math.sqrt((1 - ties) / 4 - delta**2)
    t = stats.t.isf(0.025, n - 1)
    preference.append({"ties": ties, "effect": delta, "n": n, "power": stats.nct.sf(t, n - 1, shift) + stats.nct.cdf(-t, n - 1, shift)})
values["preference"] = preference

holdout = []
for sd, share, covariates, r2, n, effect in [(3.0, 0.1, 0, 0.0, 5000, 0.2), (40.0, 0.02, 3, 0.35, 9000, -8.0)]:
    held = share * n
    df = n - 2 - covariates
    shift = effect / (sd * math.sqrt((1 - r2) * (1 / held + 1 / (n - held))))
    t = stats.t.isf(0.025, df)
    holdout.append({"sd": sd, "share": share, "covariates": covariates, "r_squared": r2, "n": n, "effect": effect,
                    "power": stats.nct.sf(t, df, shift) + stats.nct.cdf(-t, df, shift)})
values["holdout"] = holdout


def product(m1, m2, z):
    """P(|T| > z), 1/T^2 = 1/t1^2 + 1/t2^2, integrated over the first statistic."""

    def both(t, mean):
        need = z * t / math.sqrt(t * t - z * z)
        return stats.norm.pdf(t - mean) * (stats.norm.sf(need - m2) + stats.norm.cdf(-need - m2))

    total = 0.0
    for mean in (m1, -m1):
        ends = [z, z + 0.01, z + 0.1, max(z, mean) + 1, max(z, mean) + 12]
        total += sum(integrate.quad(both, a, b, args=(mean,), **TIGHT)[0] for a, b in zip(ends, ends[1:]))
    return total


surrogate = []
for sd, r2, m, ratio, n, effect in [(100.0, 0.3, 20_000, 1.0, 4000, 5.0), (1.0, 0.4, 25, 2.0, 300, 0.3), (2.0, 0.05, 90, 1.0, 800, 0.0)]:
    n0 = n / (1 + ratio)
    m1 = effect / (sd * math.sqrt(r2 * (1 / n0 + 1 / (n - n0))))
    surrogate.append({"sd": sd, "r_squared": r2, "observational": m, "ratio": ratio, "n": n, "effect": effect,
                      "power": product(m1, math.sqrt(m * r2 / (1 - r2)), stats.norm.isf(0.025))})
values["surrogate"] = surrogate

# --- Network: Aronow & Samii (2017), Hajek's contrast and its conservative error under every assignment ---------------
PEOPLE, TIES = 9, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 8), (8, 0), (0, 4)]
PAST = np.array([3.0, 1.5, 0.2, 2.1, 5.7, 4.0, 2.4, 0.9, 1.1])
near = np.zeros((PEOPLE, PEOPLE), dtype=int)
for a, b in TIES:
    near[a, b] = near[b, a] = 1
assignments = np.array([z for z in itertools.product((0, 1), repeat=PEOPLE) if sum(z) == 3])
exposure = 2 * assignments + (assignments @ near > 0)
pi = {e: (exposure == e).mean(axis=0) for e in (0, 1)}
joint = {(e, f): (exposure == e).T.astype(float) @ (exposure == f) / len(assignments) for e in (0, 1) for f in (0, 1)}


def contrast(seen):
    ind = {e: (seen == e).astype(float) for e in (0, 1)}
    if min(ind[0].sum(), ind[1].sum()) == 0:
        return None
    mean = {e: (ind[e] * PAST / pi[e]).sum() / (ind[e] / pi[e]).sum() for e in (0, 1)}
    u = {e: PAST - mean[e] for e in (0, 1)}

    def total(e, f, drop=False):
        sign = 1 if e == f else -1
        s = (ind[e] * (1 - pi[e]) * (u[e] / pi[e]) ** 2).sum() if e == f else 0.0
        for a in range(PEOPLE):
            for b in range(PEOPLE):
                both = joint[e, f][a, b]
                if a == b and e == f:
                    continue
                if both > 1e-14:
                    term = ind[e][a] * ind[f][b] * (both - pi[e][a] * pi[f][b]) / both * u[e][a] / pi[e][a] * u[f][b] / pi[f][b]
                    s += max(term, 0.0) if drop else term
                else:
                    s += sign * (ind[e][a] * u[e][a] ** 2 / (2 * pi[e][a]) + ind[f][b] * u[f][b] ** 2 / (2 * pi[f][b]))
        return s

    variance = total(1, 1) + total(0, 0) - 2 * total(1, 0)
    if variance <= 0:  # 2(V1 + V0) without negative terms bounds it
        variance = 2 * (total(1, 1, drop=True) + total(0, 0, drop=True))
    return mean[1] - mean[0], math.sqrt(variance) / PEOPLE


found = [contrast(seen) for seen in exposure]
z = stats.norm.isf(0.025)
values["network"] = {
    "ties": TIES, "past": PAST, "treated": 3,
    "cases": [{"effect": d, "n": n, "power": float(np.mean([f is not None and abs(d * math.sqrt(n / PEOPLE) + f[0]) > z * f[1] for f in found]))}
              for d, n in [(0.0, 9), (2.0, 9), (-1.5, 36)]],
}

save("experiment_power_designs", source=software("scipy", "numpy"), data=[], values=values, tolerance=1e-9,
     note="n counts all arms together. rerandomized: Li, Ding & Rubin (2018), the radius and direction of truncated normals, test at quantiles of Q and usual test; "
          "preference, holdout: non-central t; surrogate: the product of two normal statistics, integrated over the first; network: Aronow & Samii (2017) under all assignments.")
