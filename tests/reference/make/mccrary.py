"""mccrary.json: McCrary's (2008) test as DCdensity of R's rdd 0.57 defines it, written down with numpy, on the data of discontinuity.py and on the Senate's."""

import numpy as np
from scipy.stats import norm

from common import generated, save, software


def line_at_zero(distance, height, weight):
    design = np.column_stack([np.ones_like(distance), distance])
    root = np.sqrt(weight)[:, None]
    return np.linalg.lstsq(root * design, root[:, 0] * height, rcond=None)[0][0]


def answer(x, cutoff, bin_width=None, bandwidth=None):
    d = np.asarray(x) - cutoff
    n = len(d)
    b = bin_width or 2 * d.std(ddof=1) / np.sqrt(n)
    first, last = np.floor(d.min() / b), np.floor(d.max() / b)
    count = int(np.floor((d.max() - d.min()) / b)) + 2
    middle = (first + np.arange(count) + 0.5) * b
    height = np.bincount((np.floor(d / b) - first).astype(int), minlength=count) / (n * b)
    if bandwidth is None:
        each = []
        for own, end in [(middle < 0, (first + 0.5) * b), (middle >= 0, (last + 0.5) * b)]:
            m, g = middle[own], height[own]
            poly = np.polynomial.Polynomial.fit(m, g, 4)
            variance = ((g - poly(m)) ** 2).sum() / (len(m) - 5)
            each.append(3.348 * (variance * abs(end) / (poly.deriv(2)(m) ** 2).sum()) ** 0.2)
        bandwidth = sum(each) / 2
    more = np.arange(1, int(np.ceil(bandwidth / b)) + 1)
    middle = np.concatenate([(first - more + 0.5) * b, middle, (last + more + 0.5) * b])
    height = np.concatenate([0 * more, height, 0 * more])
    weight = np.maximum(1 - np.abs(middle / bandwidth), 0)
    left, right = (line_at_zero(middle[s], height[s], weight[s]) for s in (middle < 0, middle >= 0))
    theta = np.log(right) - np.log(left)
    error = np.sqrt(4.8 / (n * bandwidth) * (1 / left + 1 / right))
    return dict(bin_width=b, bandwidth=bandwidth, densities=[left, right], theta=theta, error=error, p_value=2 * norm.sf(abs(theta / error)))


if __name__ == "__main__":
    f, senate = generated("discontinuity"), generated("senate")
    cases = []
    for name, x in [("x", f["x"]), ("rounded", f["rounded"]), ("margin", senate["margin"])]:
        x = x.dropna()
        scale = x.std()
        for cutoff, options in [
            (0, {}), (0, dict(bin_width=0.05 * scale)), (0, dict(bandwidth=0.4 * scale)), (-0.3 * scale, {}),
            (0.1 * scale, dict(bin_width=0.03 * scale, bandwidth=0.5 * scale)), (0, dict(bandwidth=4.0 * scale)),
        ]:
            try:
                cases.append(dict(x=name, cutoff=cutoff, options=options, **answer(x, cutoff, **options)))
            except (ValueError, FloatingPointError):
                pass
    cases = [c for c in cases if np.isfinite(c["theta"])]
    save(
        "mccrary",
        source=software("numpy", "scipy"),
        data="tests/reference/discontinuity.csv, tests/reference/senate.csv",
        values=cases,
        tolerance=1e-8,
        note=__doc__,
    )
