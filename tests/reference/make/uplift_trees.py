"""uplift_trees.json: gains of splits and whole uplift trees by causalml; interaction statistics by regression; normalised gains by the formula of
Rzepakowski & Jaroszewicz (2012), written down here.

Needs causalml besides numpy and pandas."""

import numpy as np
from causalml.inference.tree import UpliftTreeClassifier
from common import save, software

NAMES = {"KL": "KullbackLeibler", "ED": "Euclidean", "Chi": "ChiSquared", "CTS": "ContextualTreatment"}
ARMS = ["control", "one", "two"]


def mix(z):
    """SplitMix64's finaliser."""
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def generate(n, arms):
    """Five features of ten values each, arms at random, an outcome of 0 and 1: the generator of tests/library/uplift_trees.rs."""
    rows = np.arange(n, dtype=np.uint64)

    def unit(j):
        return ((mix(rows * np.uint64(16) + np.uint64(j)) >> np.uint64(12)).astype(float) + 0.5) / 2.0**52

    x = np.stack([np.floor(10 * unit(j)) for j in range(5)], axis=1)
    arm = np.floor(arms * unit(10)).astype(int)
    effect = [np.zeros(n), 0.04 * (x[:, 0] - 3), np.where(x[:, 1] > 5, 0.2, -0.1)]
    likely = 0.3 + 0.02 * x[:, 2] + np.choose(arm, effect)
    y = (unit(11) < likely).astype(int)
    return x, arm, y


def expand(cells, x):
    """Rows of cells (n, successes), one an arm."""
    arm, y = [], []
    for k, (n, s) in enumerate(cells):
        arm += [ARMS[k]] * n
        y += [1] * s + [0] * (n - s)
    return np.full((len(arm), 1), float(x)), np.array(arm), np.array(y)


def metrics(left, right, criterion, shrinkage):
    """causalml's metric of both children of a root that has them."""
    parts = [expand(left, 0), expand(right, 1)]
    x, arm, y = (np.concatenate([p[i] for p in parts]) for i in range(3))
    tree = UpliftTreeClassifier(
        control_name="control", max_depth=1, min_samples_leaf=1, min_samples_treatment=0, n_reg=shrinkage, evaluationFunction=criterion,
        normalization=False,
    )
    tree.fit(x, y=y, treatment=arm)
    assert tree.tree_.node_count == 3
    return tree.tree_.impurity[1:]


def add(a, b):
    return [(n + m, s + t) for (n, s), (m, t) in zip(a, b)]


SPLITS = [
    ([(60, 20), (50, 30)], [(45, 18), (70, 16)]),
    ([(100, 11), (90, 27)], [(80, 30), (120, 41)]),
    ([(60, 20), (50, 30), (55, 12)], [(45, 18), (70, 16), (61, 44)]),
]
# A set with effects unlike those of the splits, so that a root that has it and the node is split in two.
APART = [(60, 50), (60, 3), (60, 2)]


def normaliser(left, right, criterion):
    n = np.array([a + b for (a, _), (b, _) in zip(left, right)], float)
    p = np.array([a for a, _ in left]) / n
    impurity = (lambda q: -q * np.log(q) - (1 - q) * np.log(1 - q)) if criterion == "KL" else (lambda q: 1 - q**2 - (1 - q) ** 2)
    k = len(n) - 1
    value = 0.5 + n[0] / n.sum() * impurity(p[0])
    for i in range(1, k + 1):
        a, b = np.array([p[i], 1 - p[i]]), np.array([p[0], 1 - p[0]])
        divergence = {"KL": np.sum(a * np.log(a / b)), "ED": np.sum((a - b) ** 2), "Chi": np.sum((a - b) ** 2 / b)}[criterion]
        value += impurity(n[i] / (n[i] + n[0])) * divergence / k + n[i] / n.sum() * impurity(p[i])
    return value


def gains():
    found = []
    for left, right in SPLITS:
        arms = len(left) - 1
        share = sum(n for n, _ in left) / sum(n for n, _ in add(left, right))
        for criterion, name in NAMES.items():
            for shrinkage in (0, 10):
                below = metrics(left, right, criterion, shrinkage)
                # The node is a root: its means are not shrunk.
                node = metrics(APART[: arms + 1], add(left, right), criterion, 0)[1]
                gain = share * below[0] + (1 - share) * below[1] - node
                # causalml sums divergences over the arms.
                gain = gain if criterion == "CTS" else gain / arms
                case = dict(left=left, right=right, criterion=name, shrinkage=shrinkage, gain=gain)
                if criterion != "CTS":
                    case["normalized"] = gain / normaliser(left, right, criterion)
                found.append(case)
    return found


def interactions():
    """F tests of the interactions of arm and side by sums of squared residuals."""
    found = []
    for arms in (2, 3):
        x, arm, y = generate(400, arms)
        side = (x[:, 0] > 4).astype(float)
        outcome = y + 0.3 * x[:, 3]
        dummies = [(arm == k).astype(float) for k in range(1, arms)]
        full = np.stack([np.ones(400), side, *dummies, *(d * side for d in dummies)], axis=1)
        less = full[:, : arms + 1]
        residual = [np.sum((outcome - m @ np.linalg.lstsq(m, outcome, rcond=None)[0]) ** 2) for m in (less, full)]
        f = (residual[0] - residual[1]) / (arms - 1) / (residual[1] / (400 - 2 * arms))
        found.append(dict(arms=arms, gain=f))
    return found


def trees():
    grid = np.array([[a, b, c, 4, 5] for a in range(10) for b in range(10) for c in range(10)], float)
    found = []
    for arms in (2, 3):
        x, arm, y = generate(4000, arms)
        for criterion, name in NAMES.items():
            tree = UpliftTreeClassifier(
                control_name="control", max_depth=3, min_samples_leaf=100, min_samples_treatment=20, n_reg=10, evaluationFunction=criterion,
                normalization=False,
            )
            tree.fit(x, y=y, treatment=np.array(ARMS)[arm])
            means = tree.predict(grid)
            inner = tree.tree_.feature >= 0
            found.append(
                dict(
                    arms=arms,
                    criterion=name,
                    leaves=int(np.sum(~inner)),
                    features=tree.tree_.feature[inner],
                    thresholds=tree.tree_.threshold[inner],
                    # Every 37th point of the grid.
                    means=means[::37],
                )
            )
    return found


save(
    "uplift_trees",
    source=software("causalml", "numpy"),
    data=[],
    tolerance=1e-9,
    note="`gains`: of the split between cells (rows, successes) of the arms, control first; causalml's sums over arms are divided by their number; "
    "`normalized` is by the paper's formula. `interactions`: F statistics of arm by x1 > 4 in 400 rows of the generator, outcome y + 0.3 x4. `trees`: "
    "feature and threshold of every split, and mean outcomes at every 37th point of a grid, of trees of depth 3 on 4 000 rows of the generator.",
    values=dict(gains=gains(), interactions=interactions(), trees=trees()),
)
