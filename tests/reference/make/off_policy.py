"""off_policy.json and its data off_policy.csv, off_policy_slate.csv: the value of a policy from a log of four actions, and from one of slates of three places.

Values by obp 0.4.1, whose estimators are called on arrays; errors are those of influence functions in numpy, by row and by customer. SWITCH in its first form,
the shrunk scores and the doubly robust cascade, which this obp lacks, are numpy's."""

import numpy as np
import pandas as pd
from obp.ope import (DirectMethod, DoublyRobust, DoublyRobustWithShrinkage, InverseProbabilityWeighting, SelfNormalizedDoublyRobust,
                     SelfNormalizedInverseProbabilityWeighting, SlateIndependentIPS, SlateRewardInteractionIPS, SlateStandardIPS, SwitchDoublyRobust)

from common import REFERENCE, save, software

TAU, LAMBDA, CLIP = 2.0, 5.0, 1.5
rng = np.random.default_rng(8)
n, k = 400, 4
x = rng.normal(size=n)


def soft(u):
    e = np.exp(u - u.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


p = soft(np.outer(x, [1.0, 0.3, -0.3, -1.0]))
q = soft(np.outer(x, [-0.8, 0.2, 0.1, 0.9]) + [0, 0.3, 0, 0.4])
m = 0.3 + 0.1 * np.outer(x, [1, 0, 0.5, -0.5]) + [0, 0.1, 0.05, 0.2]
action = np.array([rng.choice(k, p=row) for row in p])
reward = m[np.arange(n), action] + rng.normal(size=n) * 0.5 - 0.1 * x
customer = rng.integers(0, 60, n)
frame = pd.DataFrame({"reward": reward, "action": [f"a{a}" for a in action], "customer": customer, "logged": p[np.arange(n), action],
                      **{f"p{a}": p[:, a] for a in range(k)}, **{f"q{a}": q[:, a] for a in range(k)}, **{f"m{a}": m[:, a] for a in range(k)}})
frame.to_csv(REFERENCE / "off_policy.csv", index=False, float_format="%.17g")

given = dict(reward=reward, action=action, pscore=p[np.arange(n), action], action_dist=q[:, :, None], estimated_rewards_by_reg_model=m[:, :, None])
taken = np.arange(n), action
w, residual, direct = q[taken] / p[taken], reward - m[taken], (q * m).sum(1)
shrunk = LAMBDA * w / (w**2 + LAMBDA)
above = q / p > TAU
switch = (q * m * above).sum(1) + w * reward * (w <= TAU)
influence = {
    "IPS": w * reward, "SNIPS": w * (reward - (w * reward).sum() / w.sum()) / w.mean(), "logged": reward, "DM": direct, "DR": direct + w * residual,
    "SNDR": direct + w * (residual - (w * residual).sum() / w.sum()) / w.mean(), "SWITCH_DR": direct + w * residual * (w <= TAU), "SWITCH": switch,
    "DRos": direct + shrunk * residual, "IPS_shrunk": shrunk * reward,
}
values = {
    "IPS": InverseProbabilityWeighting().estimate_policy_value(**given), "SNIPS": SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(**given),
    "logged": reward.mean(), "DM": DirectMethod().estimate_policy_value(**given), "DR": DoublyRobust().estimate_policy_value(**given),
    "SNDR": SelfNormalizedDoublyRobust().estimate_policy_value(**given), "SWITCH_DR": SwitchDoublyRobust(tau=TAU).estimate_policy_value(**given),
    "SWITCH": switch.mean(), "DRos": DoublyRobustWithShrinkage(lambda_=LAMBDA).estimate_policy_value(**given), "IPS_shrunk": (shrunk * reward).mean(),
}


def by_customer(v):
    totals = pd.Series(v - v.mean()).groupby(customer).sum()
    return np.sqrt(len(totals) / (len(totals) - 1) * (totals**2).sum()) / n


names = list(values)
clipped = np.minimum(w, CLIP)

slates, places, items = 150, 3, 3
joint_p, joint_q, rows = np.ones(slates), np.ones(slates), []
for s in range(slates):
    left, top_p, top_q, kept = list(range(items)), 1.0, 1.0, []
    for place in range(places):
        a, b = np.array([1.5, 1.0, 0.6])[left], np.array([0.7, 1.0, 1.4])[left]
        j = rng.choice(len(left), p=a / a.sum())
        chance_p, chance_q = a[j] / a.sum(), b[j] / b.sum()
        top_p, top_q = top_p * chance_p, top_q * chance_q
        kept.append([s, place, left.pop(j), float(rng.random() < 0.3 + 0.1 * place), chance_p, chance_q, top_p, top_q])
    rows += [[*row, top_p, top_q] for row in kept]
slate = pd.DataFrame(rows, columns=["slate", "place", "item", "click", "p_item", "q_item", "p_top", "q_top", "p_slate", "q_slate"])
model = np.random.default_rng(9)
slate["predicted"], slate["expected"] = 0.9 - 0.3 * slate.place + 0.1 * model.normal(size=len(slate)), 0.9 - 0.3 * slate.place + 0.05 * model.normal(size=len(slate))
slate.to_csv(REFERENCE / "off_policy_slate.csv", index=False, float_format="%.17g")
common = dict(slate_id=slate.slate.to_numpy(), position=slate.place.to_numpy(), reward=slate.click.to_numpy())
kinds = {"standard": ("slate", SlateStandardIPS, "pscore"), "independent": ("item", SlateIndependentIPS, "pscore_item_position"),
         "reward_interaction": ("top", SlateRewardInteractionIPS, "pscore_cascade")}
found = {}
for kind, (column, estimator, name) in kinds.items():
    a, b = slate[f"p_{column}"].to_numpy(), slate[f"q_{column}"].to_numpy()
    totals = (slate.click * b / a).groupby(slate.slate).sum()
    found[kind] = {"value": estimator(len_list=places).estimate_policy_value(**common, **{name: a, f"evaluation_policy_{name}": b}), "error": totals.std(ddof=1) / np.sqrt(slates)}
top = (slate.q_top / slate.p_top).to_numpy().reshape(slates, places)
above = np.column_stack([np.ones(slates), top[:, :-1]])
grid = lambda name: slate[name].to_numpy().reshape(slates, places)
totals = (top * (grid("click") - grid("predicted")) + above * grid("expected")).sum(1)
found["cascade_doubly_robust"] = {"value": totals.mean(), "error": totals.std(ddof=1) / np.sqrt(slates)}

save(
    "off_policy",
    source=software("obp", "numpy", "pandas"),
    data=["tests/reference/off_policy.csv", "tests/reference/off_policy_slate.csv"],
    tolerance=1e-10,
    note=f"tau {TAU}, lambda {LAMBDA}, clip {CLIP}; `by_customer` sums influence functions by customer, with G/(G-1).",
    values={
        "names": names, "value": [values[e] for e in names], "error": [influence[e].std(ddof=1) / np.sqrt(n) for e in names],
        "by_customer": [by_customer(influence[e]) for e in names],
        "effective_rows": w.sum() ** 2 / (w**2).sum(), "clipped": [(clipped * reward).mean(), (direct + clipped * residual).mean()], "slate": found,
    },
)
