"""MABWiser: 5 000 rounds of ten arms, one after the other, by UCB1 or by LinUCB on ten features; the sum of rewards. Usage: TASK FILE [REPETITIONS]"""

import sys

import pandas as pd
from importlib.metadata import version
from mabwiser.mab import MAB, LearningPolicy

from measure import measure

task, path, *rest = sys.argv[1:]
frame = pd.read_csv(path)
rewards, x = frame[[f"r{a}" for a in range(10)]].to_numpy(), frame[[f"x{j}" for j in range(10)]].to_numpy()
arms = list(range(10))


def ucb1():
    mab = MAB(arms, LearningPolicy.UCB1(1.0))
    mab.fit(arms, [rewards[a, a] for a in arms])
    total = sum(rewards[a, a] for a in arms)
    for t in range(10, len(rewards)):
        arm = mab.predict()
        total += rewards[t, arm]
        mab.partial_fit([arm], [rewards[t, arm]])
    return dict(total=total)


def linucb():
    mab = MAB(arms, LearningPolicy.LinUCB(alpha=1.0, l2_lambda=1.0))
    mab.fit([0], [rewards[0, 0]], x[:1])
    total = rewards[0, 0]
    for t in range(1, len(rewards)):
        arm = mab.predict(x[t : t + 1])
        total += rewards[t, arm]
        mab.partial_fit([arm], [rewards[t, arm]], x[t : t + 1])
    return dict(total=total)


measure(task, "mabwiser", version("mabwiser"), ucb1 if task == "bandit_ucb1" else linucb, *map(int, rest))
