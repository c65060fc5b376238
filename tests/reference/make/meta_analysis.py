"""Meta-analysis: statsmodels' moments and Hartung-Knapp; the restricted likelihood and the generalised Q by scipy."""

import numpy as np
from common import save, software
from scipy import optimize, stats
from statsmodels.stats.meta_analysis import combine_effects

# Log risk ratios of the thirteen BCG trials (Colditz et al. 1994), from their counts: cases and others, vaccinated and not.
BCG = np.array([
    (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761),
    (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600),
    (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825)], dtype=float)
a, b, c, d = BCG.T
bcg = (np.log(a / (a + b)) - np.log(c / (c + d)), 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))
lifts = (np.array([.021, .034, -.004, .018, .027, .05]), np.array([.008, .010, .009, .012, .011, .03]) ** 2)
alike = (np.array([1.0, 1.1, .95, 1.02]), np.array([.2, .3, .25, .2]) ** 2)

values = {}
for name, (y, v) in {"bcg": bcg, "lifts": lifts, "alike": alike}.items():
    k = len(y)

    def restricted(t):
        w = 1 / (v + t)
        m = (w * y).sum() / w.sum()
        return 0.5 * (np.log(v + t).sum() + np.log(w.sum()) + (w * (y - m) ** 2).sum())

    def q(t):
        w = 1 / (v + t)
        m = (w * y).sum() / w.sum()
        return (w * (y - m) ** 2).sum()

    def root(target):
        return 0.0 if q(0) <= target else optimize.brentq(lambda t: q(t) - target, 0, 1e3, xtol=1e-15, rtol=1e-14)

    def summary(t):
        w = 1 / (v + t)
        m = (w * y).sum() / w.sum()
        hk = q(t) / (k - 1) / w.sum()
        half = stats.t.ppf(.975, k - 2) * np.sqrt(t + hk)
        return {"tau2": t, "mean": m, "se": w.sum() ** -.5, "se_hk": hk ** .5, "prediction": [m - half, m + half]}

    # The slope by complex steps has no noise; its root is the maximum when it is not at zero.
    slope = lambda t: np.imag(restricted(t + 1e-30j)) / 1e-30
    inside = slope(0.0) < 0
    case = {"y": y, "variance": v, "reml": summary(optimize.brentq(slope, 0, 10, xtol=1e-15, rtol=1e-14) if inside else 0.0)}
    for key, method in {"dl": "dl", "pm": "iterated"}.items():
        options = {"atol": 1e-13, "maxiter": 10_000} if key == "pm" else {}
        found = combine_effects(y, v, method_re=method, use_t=False, **options)
        # statsmodels weighs by a negative variance where the moments give one.
        case[key] = summary(0.0) if found.tau2 <= 0 else {
            "tau2": found.tau2, "mean": found.mean_effect_re, "se": found.sd_eff_w_re, "se_hk": found.sd_eff_w_re_hksj}
        case["fixed"] = {"mean": found.mean_effect_fe, "se": found.sd_eff_w_fe}
        case["q"], case["p"] = found.q, stats.chi2.sf(found.q, k - 1)
    case["tau2_interval"] = [root(stats.chi2.ppf(p, k - 1)) for p in (.975, .025)]
    values[name] = case

save(
    "meta_analysis",
    source=software("statsmodels", "scipy", "numpy"),
    data="Colditz et al. (1994), 13 trials of the BCG vaccine (counts above); two made-up sets",
    values=values,
    note="DerSimonian-Laird, Paule-Mandel, Hartung-Knapp: combine_effects; restricted likelihood, Q-profile, prediction: scipy.optimize",
)
