"""scikit-uplift's Qini curve and coefficient of a million rows of a trial, and the uplift among the first 30 %, without errors, which it does not
have. Usage: uplift_curve FILE [REPETITIONS]"""

import sys
from importlib.metadata import version

import pandas as pd
from sklift.metrics import qini_auc_score, qini_curve, uplift_at_k

from measure import measure

task, path, *rest = sys.argv[1:]
data = pd.read_csv(path)
y, w, priority = data.y.to_numpy(), data.w.to_numpy(), data.priority.to_numpy()
SHARE = 0.3


def once():
    rows, gain = qini_curve(y, priority, w)
    return dict(gain_at_30=SHARE * uplift_at_k(y, priority, w, strategy="overall", k=SHARE), sklift_points=len(rows), sklift_share=qini_auc_score(y, priority, w))


measure(task, "scikit-uplift", version("scikit-uplift"), once, *map(int, rest))
