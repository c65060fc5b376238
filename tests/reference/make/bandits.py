"""bandits.json: the paths of UCB1 and LinUCB in MABWiser on given rewards, and track-and-stop's bound by scipy.

Rewards of every arm and round are drawn beforehand (bandits.csv); a policy sees that of the arm it chooses. UCB1 starts from one reward of each arm, since MABWiser
does not try arms by itself."""

import numpy as np
import pandas as pd
from mabwiser.mab import MAB, LearningPolicy
from scipy.optimize import minimize

from common import REFERENCE, save, software

rng = np.random.default_rng(11)
rounds, arms = 400, 4
rewards = (rng.random((rounds, arms)) < [0.3, 0.45, 0.5, 0.2]).astype(float) * 0.75 + 0.25 * rng.random((rounds, arms))
x = rng.normal(size=(rounds, 3))
theta = np.array([[0.5, 0.2, -0.3, 0.1], [0.4, -0.5, 0.3, 0.2], [0.6, 0.1, 0.1, -0.4], [0.3, 0.3, 0.3, 0.3]])
features = np.column_stack([np.ones(rounds), x])
linear = features @ theta.T + 0.3 * rng.normal(size=(rounds, arms))
frame = pd.DataFrame({**{f"r{a}": rewards[:, a] for a in range(arms)}, **{f"y{a}": linear[:, a] for a in range(arms)}, **{f"x{j}": features[:, j] for j in range(4)}})
frame.to_csv(REFERENCE / "bandits.csv", index=False, float_format="%.17g")


def ucb(alpha):
    mab = MAB(list(range(arms)), LearningPolicy.UCB1(alpha))
    mab.fit(list(range(arms)), [rewards[a, a] for a in range(arms)])
    path = []
    for t in range(arms, rounds):
        arm = mab.predict()
        path.append(arm)
        mab.partial_fit([arm], [rewards[t, arm]])
    return path


def linucb(alpha):
    mab = MAB(list(range(arms)), LearningPolicy.LinUCB(alpha=alpha, l2_lambda=1.0))
    first = 0
    mab.fit([first], [linear[0, first]], features[:1])
    path = []
    for t in range(1, rounds):
        arm = mab.predict(features[t : t + 1])
        path.append(arm)
        mab.partial_fit([arm], [linear[t, arm]], features[t : t + 1])
    return path, [mab._imp.arm_to_model[a].beta for a in range(arms)]


def kl(p, q):
    return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))


def bound(means, delta):
    """T*(mu) kl(delta, 1 - delta), by maximising the least contrast over shares."""
    means = np.array(means)
    best = means.argmax()

    def negative(u):
        w = np.exp(u - u.max())
        w /= w.sum()
        pooled = (w[best] * means[best] + w * means) / (w[best] + w)
        contrast = w[best] * kl(means[best], pooled) + w * kl(means, pooled)
        return -np.delete(contrast, best).min()

    found = min((minimize(negative, rng.normal(size=len(means)), method="Nelder-Mead", options=dict(xatol=1e-10, fatol=1e-15, maxiter=50_000, maxfev=50_000)).fun for _ in range(20)))
    return kl(delta, 1 - delta) / -found


path, coefficients = linucb(0.7)
save(
    "bandits",
    source=software("mabwiser", "numpy", "scipy"),
    data=["tests/reference/bandits.csv"],
    tolerance=1e-10,
    note="Arms chosen round by round; coefficients of LinUCB's arms after the last; the bounds are good to 1e-6.",
    values={"ucb1": ucb(1.0), "ucb_half": ucb(0.5), "linucb": path, "coefficients": coefficients,
            "bounds": [bound([0.5, 0.45, 0.43, 0.4], 0.1), bound([0.9, 0.1], 0.05), bound([0.3, 0.21, 0.2, 0.19, 0.18], 0.01)]},
)
