"""Bayesian experiments: adaptive quadrature and a closed form by scipy, revenue by five million draws, eight schools by quadrature over tau."""

import numpy as np
from common import save, software
from scipy import integrate, optimize, special, stats

TIGHT = {"epsabs": 1e-14, "epsrel": 1e-12, "limit": 500}
values = {}


def compare(laws, rope):
    """Frozen scipy laws: probabilities to be best, losses, and the second against the first."""
    low = min(l.ppf(1e-14) for l in laws)
    high = max(l.isf(1e-14) for l in laws)
    points = sorted(l.ppf(q) for l in laws for q in (1e-9, 1e-4, .05, .5, .95, 1 - 1e-4, 1 - 1e-9))
    over = lambda f: sum(integrate.quad(f, a, b, **TIGHT)[0] for a, b in zip([low] + points, points + [high]))
    best, loss = [], []
    for i, law in enumerate(laws):
        others = lambda x: np.prod([l.cdf(x) for j, l in enumerate(laws) if j != i])
        best.append(over(lambda x: law.pdf(x) * others(x)))
        loss.append(over(lambda x: law.cdf(x) * -np.expm1(sum(np.log1p(-l.sf(x)) for j, l in enumerate(laws) if j != i))))
    above = lambda shift, factor=1.0: over(lambda y: laws[0].pdf(y) * laws[1].sf(shift + factor * y))
    span = high - low
    quantile = lambda p: optimize.brentq(lambda d: 1 - above(d) - p, -span, span, xtol=1e-13)
    out = {"best": best, "loss": loss, "better": above(0.0), "rope": above(-rope) - above(rope), "difference": [quantile(.025), quantile(.975)]}
    if low >= 0:
        out["lift"] = [optimize.brentq(lambda r: 1 - above(0.0, 1 + r) - p, -.9, 5, xtol=1e-12) for p in (.5, .025, .975)]
    return out


# Conversion: 100, 130 and 124 of 1 000.
cases = [(100, 1000), (130, 1000), (124, 1000)]
values["conversion"] = {"cases": cases} | compare([stats.beta(1 + x, 1 + n - x) for x, n in cases], .01)
# P(B > A) as a finite sum, for whole parameters.
a, b, c, d = 101, 901, 131, 871
values["conversion"]["closed"] = sum(
    np.exp(special.betaln(a + i, b + d) - np.log(d + i) - special.betaln(1 + i, d) - special.betaln(a, b)) for i in range(c))

rng = np.random.default_rng(8)
samples = [rng.normal(m, s, n).round(3) for m, s, n in ((10, 3, 40), (11, 4, 30), (10.5, 2, 35))]
laws = [stats.t(len(x) - 1, x.mean(), x.std(ddof=1) / len(x) ** .5) for x in samples]
values["mean"] = {"samples": [list(x) for x in samples]} | compare(laws, .5)

counts = [(240, 100.0), (275, 104.0)]
values["count"] = {"cases": counts} | compare([stats.gamma(.5 + x, scale=1 / t) for x, t in counts], .1)

# Revenue: draws of the share of buyers, of the variance and of the mean of logarithms.
spent = [np.exp(rng.normal(3.0, 1.0, 60)).round(2), np.exp(rng.normal(3.1, 1.1, 75)).round(2)]
visitors = [500, 520]
draws = []
for x, n in zip(spent, visitors):
    logs = np.log(x)
    many = 5_000_000
    p = rng.beta(1 + len(x), 1 + n - len(x), many)
    variance = .5 * ((logs - logs.mean()) ** 2).sum() / rng.gamma((len(x) - 1) / 2, 1, many)
    mean = rng.normal(logs.mean(), np.sqrt(variance / len(x)))
    draws.append(p * np.exp(mean + variance / 2))
difference = draws[1] - draws[0]
values["revenue"] = {
    "spent": [list(x) for x in spent], "visitors": visitors,
    "mean": [x.mean() for x in draws], "sd": [x.std() for x in draws],
    "quantiles": [np.quantile(x, [.025, .5, .975]) for x in draws],
    "better": (difference > 0).mean(), "difference": np.quantile(difference, [.025, .975]),
    "loss": [np.maximum(difference, 0).mean(), np.maximum(-difference, 0).mean()]}

y = np.array([28, 8, -3, 7, -1, 1, 18, 12.0])
s = np.array([15, 10, 16, 11, 9, 11, 10, 18.0])


def schools(prior):
    def parts(t):
        w = 1 / (s**2 + t**2)
        mu = (w * y).sum() / w.sum()
        density = prior(t) * w.sum() ** -.5 * np.prod(stats.norm.pdf(y, mu, np.sqrt(s**2 + t**2)))
        return w, mu, density

    pieces = [0, 1, 3, 6, 10, 15, 20, 30, 50, 100, 300, 1e3, 1e4, 1e5]
    over = lambda f: sum(integrate.quad(f, a, b, **TIGHT)[0] for a, b in zip(pieces, pieces[1:]))
    total = over(lambda t: parts(t)[2])
    means, seconds, positive = [], [], []
    for j in range(8):
        def moments(t, k):
            w, mu, density = parts(t)
            pull = t**2 / (t**2 + s[j] ** 2)
            m = mu + pull * (y[j] - mu)
            v = pull * s[j] ** 2 + (1 - pull) ** 2 / w.sum()
            return density * (m, m * m + v, stats.norm.cdf(m / np.sqrt(v)))[k]
        means.append(over(lambda t: moments(t, 0)) / total)
        seconds.append(over(lambda t: moments(t, 1)) / total)
        positive.append(over(lambda t: moments(t, 2)) / total)
    return {"mean": means, "sd": np.sqrt(np.array(seconds) - np.array(means) ** 2), "positive": positive,
            "tau": over(lambda t: t * parts(t)[2]) / total, "mu": over(lambda t: parts(t)[1] * parts(t)[2]) / total}


values["schools"] = {"y": y, "s": s, "flat": schools(lambda t: 1.0), "cauchy": schools(lambda t: 1 / (1 + (t / 25) ** 2))}

x, n = rng.binomial(400, rng.beta(20, 180, 40)), np.full(40, 400)
value = lambda p: -(special.betaln(np.exp(p[0]) + x, np.exp(p[1]) + n - x) - special.betaln(np.exp(p[0]), np.exp(p[1]))).sum()
found = optimize.minimize(value, [3, 5], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-12, "maxiter": 4000})
values["past_conversion"] = {"successes": x, "trials": n, "a": np.exp(found.x[0]), "b": np.exp(found.x[1])}
t = rng.uniform(50, 150, 40).round(1)
x = rng.poisson(t * rng.gamma(6, 1 / 3, 40))
value = lambda p: -stats.nbinom.logpmf(x, np.exp(p[0]), np.exp(p[1]) / (np.exp(p[1]) + t)).sum()
found = optimize.minimize(value, [1.5, 1], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-12, "maxiter": 4000})
values["past_count"] = {"counts": x, "exposure": t, "shape": np.exp(found.x[0]), "rate": np.exp(found.x[1])}

save(
    "bayesian",
    source=software("scipy", "numpy"),
    data="made-up arms; eight schools of Rubin (1981)",
    values=values,
    note="scipy.integrate.quad over frozen laws; a finite sum for P(B > A); draws for revenue (Monte Carlo errors below .0005)",
)
