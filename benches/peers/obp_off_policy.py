"""Open Bandit Pipeline: doubly robust value of a policy, 1e6 rounds of ten actions. Usage: TASK FILE [REPETITIONS]"""

import sys

import numpy as np
import obp
import pandas as pd
from obp.ope import DoublyRobust

from measure import measure

task, path, *rest = sys.argv[1:]
frame = pd.read_csv(path)
reward, action, pscore = frame.reward.to_numpy(), frame.action.to_numpy(), frame.logged.to_numpy()
action_dist, predicted = (np.ascontiguousarray(frame[[f"{c}{a}" for a in range(10)]].to_numpy())[:, :, None] for c in "qm")
del frame


def once():
    value = DoublyRobust().estimate_policy_value(reward=reward, action=action, pscore=pscore, action_dist=action_dist, estimated_rewards_by_reg_model=predicted)
    return dict(DR=value)


measure(task, "obp", obp.__version__, once, *map(int, rest))
