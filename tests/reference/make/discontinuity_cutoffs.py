"""discontinuity_cutoffs.json: effects at two cutoffs, weighted and pooled, by rdmulti, on the data of discontinuity.py: 0 in villages below 30, 0.05 in the others."""

import contextlib
import io
import warnings

import numpy as np
from rdmulti import rdmc

from common import generated, save, software

warnings.filterwarnings("ignore")

if __name__ == "__main__":
    f = generated("discontinuity")
    cutoff = np.where(f["village"] < 30, 0.0, 0.05)
    with contextlib.redirect_stdout(io.StringIO()):
        fit = rdmc(f["y"].to_numpy(), f["x"].to_numpy(), cutoff)
    save(
        "discontinuity_cutoffs",
        source=software("rdmulti", "rdrobust", "numpy"),
        data="tests/reference/discontinuity.csv",
        values=dict(estimates=np.asarray(fit.B, float).ravel(), variances=np.asarray(fit.V, float).ravel(), shares=np.asarray(fit.W, float).ravel()),
        tolerance=1e-8,
        note=__doc__,
    )
