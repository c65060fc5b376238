"""Open Bandit Pipeline: doubly robust value of a policy, 1e6 rounds of ten actions. Usage: TASK FILE [REPETITIONS]"""

import sys

import numpy as np
import obp
import pandas as pd
from obp.ope import DoublyRobust

from measure import measure

task, path, *rest = sys.argv[1:]


def read():
    frame = pd.read_csv(path)
    action_dist, predicted = (np.ascontiguousarray(frame[[f"{c}{a}" for a in range(10)]].to_numpy())[:, :, None] for c in "qm")
    return dict(reward=frame.reward.to_numpy(), action=frame.action.to_numpy(), pscore=frame.logged.to_numpy(), action_dist=action_dist,
                estimated_rewards_by_reg_model=predicted)


given = None if task == "off_policy_file" else read()


def once():
    return dict(DR=DoublyRobust().estimate_policy_value(**(given or read())))


measure(task, "obp", obp.__version__, once, *map(int, rest))
