"""Reference values of the exchange: bargaining weight, cross-effects, compensation. Run from the root of the repository:
python3 tests/reference/make/exchange.py  (numpy, scipy, pandas and statsmodels; versions are written into the fixture)

Writes tests/reference/exchange.csv, offers.csv (data made here) and exchange.json.
"""
import datetime
import json
import sys

import numpy as np
import pandas as pd
import scipy
import scipy.stats as st
import statsmodels
import statsmodels.api as sm
from statsmodels.discrete.conditional_models import ConditionalLogit

rng = np.random.default_rng(20261123)

# Transfers, quantities and incentives of 400 customers in 40 villages, with all digits that are written.
n = 400
d = pd.DataFrame({"village": np.arange(n) // 10})
shock = rng.normal(size=40)[d.village] * 0.1
d["age"] = rng.integers(20, 70, n)
d["outside_c"] = rng.uniform(0, 0.5, n).round(4)
d["outside_f"] = rng.uniform(0, 0.5, n).round(4)
d["incentive_e"] = 0.2 * rng.integers(0, 2, n)
d["incentive_z"] = 0.2 * rng.integers(0, 2, n)
common = rng.normal(size=n) * 0.2
d["e"] = (0.8 + 0.7 * d.incentive_e + 0.1 * d.incentive_z + 0.002 * d.age + common + rng.normal(size=n) * 0.1 + shock).round(5)
d["z"] = (0.4 + 0.1 * d.incentive_e + 0.6 * d.incentive_z - 0.001 * d.age - 0.5 * common + rng.normal(size=n) * 0.1).round(5)
d["transfer"] = (0.1 + 0.6 * d.outside_c - 0.4 * d.outside_f - 0.2 * d.incentive_z + rng.normal(size=n) * 0.1 * (1 + d.e) + shock).round(5)
d.to_csv("tests/reference/exchange.csv", index=False)
d = pd.read_csv("tests/reference/exchange.csv")

values = {}
controls = d[["incentive_e", "incentive_z"]]
x = sm.add_constant(pd.concat([(-(d.outside_c + d.outside_f)).rename("eta"), controls], axis=1))
model = sm.OLS(d.transfer - d.outside_c, x)
fit = model.fit(cov_type="HC1", use_t=True)
values["eta"], values["eta_se"] = fit.params["eta"], fit.bse["eta"]
by = model.fit(cov_type="cluster", cov_kwds={"groups": d.village}, use_t=True)
values["eta_se_village"] = by.bse["eta"]
free = sm.OLS(d.transfer, sm.add_constant(pd.concat([d[["outside_c", "outside_f"]], controls], axis=1))).fit(cov_type="HC1", use_t=True)
values["over_f"] = float(free.f_test("outside_c - outside_f = 1").fvalue)

# Both equations stacked by hand: the sandwich with scores summed over both equations of a village.
x = np.column_stack([np.ones(n), d.incentive_e, d.incentive_z, d.age])
k = x.shape[1]
bread = np.linalg.inv(x.T @ x)
b = [bread @ x.T @ d[name].to_numpy() for name in ("e", "z")]
residual = [d[name].to_numpy() - x @ beta for name, beta in zip(("e", "z"), b)]
scores = np.column_stack([x * r[:, None] for r in residual])
sums = pd.DataFrame(scores).groupby(d.village.to_numpy()).sum().to_numpy()
groups = sums.shape[0]
big = np.kron(np.eye(2), bread)
v = big @ (sums.T @ sums) @ big * groups / (groups - 1) * (2 * n - 1) / (2 * n - 2 * k)
beta = np.concatenate(b)
i, j = 2, k + 1  # e by incentive_z, z by incentive_e
values["cross"] = [beta[i], v[i, i] ** 0.5, beta[j], v[j, j] ** 0.5]
# Minimum distance: one number m for both effects.
w = np.linalg.inv(v[np.ix_([i, j], [i, j])])
one = np.ones(2)
variance = 1 / (one @ w @ one)
common = variance * (one @ w @ beta[[i, j]])
gap = beta[i] - beta[j]
values["symmetric"] = [common, variance**0.5, gap**2 / (v[i, i] + v[j, j] - 2 * v[i, j])]
values["joint_f"] = float(beta[[i, j]] @ w @ beta[[i, j]] / 2)

# Choices among two offers and none.
sets = 600
rows = []
for s in range(sets):
    offers = [[0.25 * rng.integers(1, 5), 0.5 * rng.integers(0, 3), rng.integers(0, 3), round(rng.uniform(0, 8), 3)] for _ in range(2)] + [[0, 0, 0, 0]]
    u = [np.dot(o, [-1.2, -0.8, 0.6, 0.4]) + rng.gumbel() for o in offers]
    rows += [[s, *o, int(a == np.argmax(u))] for a, o in enumerate(offers)]
o = pd.DataFrame(rows, columns=["set", "share", "control", "benefit", "payment", "chosen"])
o.to_csv("tests/reference/offers.csv", index=False)
o = pd.read_csv("tests/reference/offers.csv")
fit = ConditionalLogit(o.chosen, o[["share", "control", "benefit", "payment"]], groups=o.set).fit(method="newton", disp=0, maxiter=200)
b = fit.params.to_numpy()
v = -np.linalg.inv(ConditionalLogit(o.chosen, o[["share", "control", "benefit", "payment"]], groups=o.set).hessian(b))


def exact_information(b):
    """Hessian of the log-likelihood in closed form."""
    x = o[["share", "control", "benefit", "payment"]].to_numpy(float).reshape(sets, 3, 4)
    p = np.exp(x @ b)
    p /= p.sum(1, keepdims=True)
    mean = np.einsum("sa,sak->sk", p, x)
    return np.einsum("sa,sak,sal->kl", p, x, x) - mean.T @ mean


def polish(b):
    x = o[["share", "control", "benefit", "payment"]].to_numpy(float).reshape(sets, 3, 4)
    y = o.chosen.to_numpy(float).reshape(sets, 3)
    for _ in range(20):
        p = np.exp(x @ b)
        p /= p.sum(1, keepdims=True)
        b = b + np.linalg.solve(exact_information(b), np.einsum("sa,sak->k", y - p, x))
    return b


# statsmodels' numerical Hessian has six digits; the estimates agree, and both are polished in closed form.
exact = polish(b)
assert np.allclose(exact, b, rtol=1e-5), (exact, b)
assert np.allclose(v, np.linalg.inv(exact_information(exact)), rtol=1e-3)
b, v = exact, np.linalg.inv(exact_information(exact))
c = np.array([1, 0.5, 0, 0])
t = np.array([0, 0, 0, 1.0])
wta = -(c @ b) / (t @ b)
g = -c / (t @ b) + (c @ b) / (t @ b) ** 2 * t
values["wta"] = [wta, (g @ v @ g) ** 0.5]
q = st.norm.ppf(0.975) ** 2
aa, hh, cc = (t @ b) ** 2 - q * t @ v @ t, -(c @ b) * (t @ b) + q * c @ v @ t, (c @ b) ** 2 - q * c @ v @ c
root = (hh * hh - aa * cc) ** 0.5
values["wta_fieller"] = [(hh - root) / aa, (hh + root) / aa]

record = {
    "source": f"statsmodels {statsmodels.__version__}, numpy {np.__version__}, scipy {scipy.__version__}, Python {sys.version.split()[0]}",
    "command": "python3 tests/reference/make/exchange.py",
    "date": datetime.date.today().isoformat(),
    "data": "tests/reference/exchange.csv, tests/reference/offers.csv",
    "tolerance": 1e-7,
    "note": "η by OLS with HC1 and clustered errors; cross-effects by the stacked sandwich and minimum distance in numpy; conditional logit by ConditionalLogit, polished with the closed-form Hessian; Fieller from the quadratic inequality.",
    "values": values,
}
with open("tests/reference/exchange.json", "w") as f:
    json.dump(record, f, indent=1)
    f.write("\n")
