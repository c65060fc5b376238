"""uplift_curves.json: Qini and uplift curves of scikit-uplift and causalml, and rank-weighted averages by their definitions, on a small trial.

Needs scikit-uplift and causalml besides numpy and pandas."""

import numpy as np
import pandas as pd
from causalml.metrics import auuc_score, get_cumgain, get_qini, qini_score
from common import save, software
from sklift.metrics import qini_auc_score, qini_curve, uplift_at_k, uplift_auc_score, uplift_curve

N = 300


def trial(ties):
    """A small trial in which the priority says something of the effect; with ties the priority is rounded."""
    rows = np.arange(N)
    x = (rows * 37 % 101) / 101
    treated = (rows * 53 % 97) % 5 < 2
    outcome = (((rows * 29 % 89) / 89) < 0.2 + np.where(treated, 0.5 * x, 0.0)).astype(float)
    priority = np.round(4 * x) if ties else x + rows * 1e-6
    return priority, treated.astype(int), outcome


def rank_weighted(priority, scores):
    """Integrals of the piecewise linear gain curve by a fine rule that knows nothing of antiderivatives."""
    order = np.argsort(-priority, kind="stable")
    _, group = np.unique(-priority[order], return_inverse=True)
    mean = np.bincount(group, scores[order]) / np.bincount(group)
    smooth = mean[group]
    gain = np.concatenate([[0.0], np.cumsum(smooth)]) / len(scores)
    at = np.arange(len(gain)) / len(scores)
    nodes, weights = np.polynomial.legendre.leggauss(20)
    autoc = qini = 0.0
    for a, b, low, high in zip(at[:-1], at[1:], gain[:-1], gain[1:]):
        u = (a + b) / 2 + (b - a) / 2 * nodes
        g = low + (high - low) * (u - a) / (b - a)
        w = (b - a) / 2 * weights
        autoc += np.sum(w * (g / u - gain[-1]))
        qini += np.sum(w * (g - u * gain[-1]))
    return autoc, qini


def main():
    cases = []
    for ties in (False, True):
        priority, treated, outcome = trial(ties)
        share = treated.mean()
        scores = outcome * treated / share - outcome * (1 - treated) / (1 - share)
        autoc, qini = rank_weighted(priority, scores)
        frame = pd.DataFrame({"priority": priority, "w": treated, "y": outcome})
        x, q = qini_curve(outcome, priority, treated)
        xu, u = uplift_curve(outcome, priority, treated)
        case = {
            "ties": ties,
            "priority": priority,
            "treated": treated,
            "outcome": outcome,
            "autoc": autoc,
            "qini": qini,
            "sklift_qini": {"x": x, "y": q},
            "sklift_uplift": {"x": xu, "y": u},
            "sklift_qini_auc": qini_auc_score(outcome, priority, treated),
            "sklift_qini_auc_positive": qini_auc_score(outcome, priority, treated, negative_effect=False),
            "sklift_uplift_auc": uplift_auc_score(outcome, priority, treated),
            "sklift_uplift_at_30": [uplift_at_k(outcome, priority, treated, strategy=s, k=0.3) for s in ("overall", "by_group")],
        }
        if not ties:
            plain = dict(outcome_col="y", treatment_col="w", normalize=False)
            case["causalml_qini"] = get_qini(frame, **plain)["priority"].to_numpy()
            case["causalml_gain"] = get_cumgain(frame, **plain)["priority"].to_numpy()
            case["causalml_auuc"] = auuc_score(frame, outcome_col="y", treatment_col="w", normalize=True)["priority"]
            case["causalml_qini_score"] = float(qini_score(frame, outcome_col="y", treatment_col="w", normalize=True)["priority"])
        cases.append(case)
    save(
        "uplift_curves",
        source=software("scikit-uplift", "causalml", "numpy", "pandas"),
        data=[],
        values={"cases": cases},
        tolerance=1e-9,
        note="A trial of 300 rows made by integer arithmetic; its columns are in the cases.",
    )


main()
