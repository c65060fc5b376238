"""causal_forest.json: the causal forest of EconML (the algorithm of Athey, Tibshirani & Wager 2019) on data that both sides generate bit for bit.

Needs econml besides numpy and pandas. Two forests that differ in seed alone tell how far apart forests of this size are."""

import numpy as np
from common import save, software
from econml.grf import CausalForest

ROWS, TEST, FEATURES, TREES = 4000, 200, 5, 2000


def mix(z):
    """SplitMix64's finaliser."""
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def generate(n, offset):
    rows = np.arange(n, dtype=np.uint64) + np.uint64(offset)

    def unit(j):
        return ((mix(rows * np.uint64(16) + np.uint64(j)) >> np.uint64(12)).astype(float) + 0.5) / 2.0**52

    x = np.stack([unit(j) for j in range(FEATURES)], axis=1)
    propensity = 0.3 + 0.4 * x[:, 0]
    effect = 4 * (x[:, 0] - 0.5) + np.where(x[:, 1] > 0.5, 1.0, 0.0)
    treated = (unit(10) < propensity).astype(float)
    y = effect * (treated - propensity) + 4 * (unit(11) - 0.5)
    return x, treated - propensity, y, effect


x, w, y, _ = generate(ROWS, 0)
test, _, _, truth = generate(TEST, 1_000_000)
found = []
for seed in (1, 2):
    forest = CausalForest(n_estimators=TREES, criterion="het", max_samples=0.5, min_samples_leaf=5, max_features=None, min_balancedness_tol=0.45,
                          honest=True, inference=True, subforest_size=2, n_jobs=1, random_state=seed)
    forest.fit(x, w, y)
    effect, variance = forest.predict_and_var(test)
    found.append((effect.ravel(), np.sqrt(variance.ravel())))
(a, sa), (b, sb) = found
print("mse", np.mean((a - truth) ** 2), "between seeds", np.sqrt(np.mean((a - b) ** 2)), "std error", np.mean(sa))
save(
    "causal_forest",
    source=software("econml", "numpy"),
    data=[],
    tolerance=0.1,
    note="Effects at 200 points from 4 000 rows of the generator in causal_forest.py (and tests/library/causal_forest.rs) with the true means taken away, 2 000 "
    "honest trees of half samples. Forests agree as randomly grown forests do: the tolerance is the root mean square of their differences, of the "
    "standard deviation of the effects; `between_seeds` is the same between two seeds of EconML. `std_error` is the mean standard error.",
    values=dict(
        effects=a,
        std_error=float(np.mean(sa)),
        mean_squared_error=float(np.mean((a - truth) ** 2)),
        between_seeds=float(np.sqrt(np.mean((a - b) ** 2)) / np.std(truth)),
    ),
)
