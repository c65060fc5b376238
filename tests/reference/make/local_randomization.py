"""local_randomization.json: differences in means and their p-values in windows around the cutoff, on the Senate's data: by rdlocrand with 20 000
assignments, and over all assignments, listed, where they are few; and the ten windows that rdlocrand looks at by itself, on rows with all columns.

rdlocrand 3.0 for Python divides by the assignments asked for also when there are fewer, which makes p-values too small: only windows with more are asked of it."""

from itertools import combinations

import numpy as np
from rdlocrand import rdrandinf, rdwinselect

from common import generated, save, software

if __name__ == "__main__":
    senate = generated("senate").dropna(subset=["vote", "margin"])
    cases = []
    for window in [0.25, 0.35]:
        near = senate[senate["margin"].abs() <= window]
        y, right = near["vote"].to_numpy(), (near["margin"] >= 0).to_numpy()
        total, n, m = y.sum(), len(y), right.sum()
        difference = lambda treated: treated / m - (total - treated) / (n - m)
        observed = difference(y[right].sum())
        every = np.array([difference(y[list(rows)].sum()) for rows in combinations(range(n), m)])
        cases.append(dict(window=window, exact=True, effect=[observed], p_value=np.mean(np.abs(every) >= abs(observed) * (1 - 1e-10))))
    for window in [0.5, 0.6, 0.75]:
        fit = rdrandinf(senate["vote"], senate["margin"], wl=-window, wr=window, reps=20_000, seed=11, quietly=True)
        cases.append(dict(window=window, exact=False, effect=fit["obs.stat"], p_value=fit["p.value"]))
    complete = generated("senate").dropna()
    looked_at = rdwinselect(complete["margin"].to_numpy(), complete[["termshouse"]].to_numpy(), level=1e-9, reps=20, quietly=True)["results"]
    windows = [dict(half_width=w, rows=[int(l), int(r)]) for w, l, r in zip(looked_at["w_right"], looked_at["Obs<c"], looked_at["Obs>=c"])]
    save(
        "local_randomization",
        source=software("rdlocrand", "numpy"),
        data="tests/reference/senate.csv",
        values=dict(tests=cases, windows=windows),
        tolerance=1e-9,
        note=__doc__,
    )
