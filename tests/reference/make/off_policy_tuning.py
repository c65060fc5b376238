"""off_policy_tuning.json: thresholds of SWITCH and DRos chosen by obp, and self-normalised values of slates, on the data of off_policy.py.

obp 0.5.7, installed with `pip install --no-deps --ignore-requires-python obp==0.5.7` beside numpy, pandas and scikit-learn: what it imports for neural
policies and figures is not used here, and stands in as empty modules. The bound of the bias there takes residuals of at most 1: rewards and
predictions are divided by the length of the bounds first. Errors are those of influence functions, in numpy."""

import sys
from unittest.mock import MagicMock

import numpy as np
import sklearn.linear_model  # noqa: F401  before the empty modules, which its dependencies would look into
import scipy.stats  # noqa: F401

from common import generated, save, software

for name in ["torch", "torch.nn", "torch.nn.functional", "torch.optim", "torch.utils", "torch.utils.data", "matplotlib", "matplotlib.pyplot", "seaborn", "pyieoe"]:
    sys.modules[name] = MagicMock(**{"Tensor": type("Tensor", (), {}), "nn.Module": object, "utils.data.Dataset": object})
sys.modules["torch.nn"].Module = sys.modules["torch.utils.data"].Dataset = object

from obp.ope import (DoublyRobustWithShrinkageTuning, SelfNormalizedSlateIndependentIPS, SelfNormalizedSlateRewardInteractionIPS,  # noqa: E402
                     SelfNormalizedSlateStandardIPS, SwitchDoublyRobustTuning)

BOUNDS, DELTA = (-2.0, 3.0), 0.05
THRESHOLDS = [np.inf, 50.0, 10.0, 5.0, 3.0, 2.0, 1.0, 0.5, 0.1]
log = generated("off_policy")
n = len(log)
each = lambda letter: log[[f"{letter}{a}" for a in range(4)]].to_numpy()
q, m = each("q"), each("m")
action = log.action.str[1:].astype(int).to_numpy()
assert log.reward.between(*BOUNDS).all() and ((m >= BOUNDS[0]) & (m <= BOUNDS[1])).all()


def chosen(rows, scale, kind, **options):
    """Among the thresholds, on the first rows, with everything over `scale`."""
    keep = np.arange(n) < rows
    given = dict(reward=log.reward[keep].to_numpy() / scale, action=action[keep], pscore=log.logged[keep].to_numpy(), action_dist=q[keep][:, :, None],
                 estimated_rewards_by_reg_model=m[keep][:, :, None] / scale)
    estimator = kind(lambdas=THRESHOLDS, **options)
    value = estimator.estimate_policy_value(**given)
    return {"threshold": estimator.best_hyperparam, "value": value * scale,
            "scores": [estimator.estimated_mse_score_dict[t] * scale**2 for t in THRESHOLDS] if options["tuning_method"] == "mse" else []}


cases = []
for rows in [30, 100, 400]:
    for name, kind in [("SWITCH_DR", SwitchDoublyRobustTuning), ("DRos", DoublyRobustWithShrinkageTuning)]:
        for how, options in [("slope", dict(tuning_method="slope")), ("mse", dict(tuning_method="mse", use_bias_upper_bound=False)),
                             ("mse_bound", dict(tuning_method="mse", use_bias_upper_bound=True, delta=DELTA))]:
            cases.append({"rows": rows, "name": name, "how": how, **chosen(rows, BOUNDS[1] - BOUNDS[0], kind, **options)})

slate = generated("off_policy_slate")


def self_normalised(slate, column, estimator, name):
    a, b = slate[f"p_{column}"].to_numpy(), slate[f"q_{column}"].to_numpy()
    given = dict(slate_id=slate.slate.to_numpy(), position=slate.place.to_numpy(), reward=slate.click.to_numpy(), **{name: a, f"evaluation_policy_{name}": b})
    value = estimator(len_list=3).estimate_policy_value(**given)
    w, r, slates = b / a, slate.click.to_numpy(), slate.slate.nunique()
    # The influence function of Σ_k (n_k/S) (Σ w r)/(Σ w), by numerical derivatives in the weight of each slate.
    group = np.zeros(len(slate), int) if column == "slate" else slate.place.to_numpy()
    codes = slate.slate.to_numpy()

    def total(of_slate):
        f = of_slate[codes]
        parts = [(f[group == g].sum() / of_slate.sum()) * (f * w * r)[group == g].sum() / (f * w)[group == g].sum() for g in np.unique(group)]
        return sum(parts)

    ones, step = np.ones(slates), 1e-4
    assert abs(total(ones) - value) < 1e-12
    slopes = np.array([(total(ones + step * e) - total(ones - step * e)) / (2 * step) for e in np.eye(slates)])
    return {"value": value, "error": np.sqrt(slates / (slates - 1) * (slopes**2).sum())}


kinds = {"SN_standard": ("slate", SelfNormalizedSlateStandardIPS, "pscore"), "SN_independent": ("item", SelfNormalizedSlateIndependentIPS, "pscore_item_position"),
         "SN_reward_interaction": ("top", SelfNormalizedSlateRewardInteractionIPS, "pscore_cascade")}
# Some slates have no third place.
short = slate[(slate.place < 2) | (slate.slate % 4 > 0)]
save(
    "off_policy_tuning",
    source=software("obp", "numpy", "pandas", "scikit-learn"),
    data=["tests/reference/off_policy.csv", "tests/reference/off_policy_slate.csv"],
    tolerance=1e-10,
    note=f"bounds {BOUNDS}, delta {DELTA}; the cases use the first rows; `short` leaves out the third place of every fourth slate; errors of slates by numerical derivatives, good to 1e-7.",
    values={"thresholds": THRESHOLDS, "cases": cases, "slate": {k: self_normalised(slate, *v) for k, v in kinds.items()},
            "short": {k: self_normalised(short, *v) for k, v in kinds.items()}},
)
