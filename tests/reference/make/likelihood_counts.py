"""statsmodels' estimates of the models in likelihood_counts.json (made by likelihood_counts.R): the two programs must agree.
Run from the root of the repository; writes nothing."""
import json
import warnings

import numpy as np
import pandas as pd
from statsmodels.discrete.count_model import ZeroInflatedNegativeBinomialP, ZeroInflatedPoisson
from statsmodels.discrete.discrete_model import NegativeBinomial, Poisson
from statsmodels.miscmodels.ordinal_model import OrderedModel

warnings.simplefilter("ignore")
frame = pd.read_csv("tests/reference/likelihood_counts.csv")
values = json.load(open("tests/reference/likelihood_counts.json"))["values"]
X = np.column_stack([np.ones(len(frame)), frame.x, frame.d])
Z = np.column_stack([np.ones(len(frame)), frame.z])
options = dict(method="newton", maxiter=500, disp=0, tol=1e-12)


def check(name, estimates, log_likelihood, tolerance=1e-6):
    case = values[name]
    gap = np.max(np.abs(np.asarray(estimates) - case["estimates"]) / np.maximum(np.abs(case["estimates"]), 0.01))
    assert gap < tolerance, (name, gap)
    assert abs(log_likelihood / case["log_likelihood"] - 1) < 1e-9, name
    print(f"{name}: estimates agree to {gap:.1e}")


fit = Poisson(frame.poisson, X, offset=frame.e).fit(**options)
check("poisson", fit.params, fit.llf)
for name in ["negbin", "negbin_large"]:
    fit = NegativeBinomial(frame[name], X, loglike_method="nb2").fit(method="bfgs", maxiter=1000, gtol=1e-9, disp=0)
    check(name, [*fit.params[:3], np.log(fit.params.iloc[3])], fit.llf, 1e-5)
fit = ZeroInflatedPoisson(frame.inflated_poisson, X, exog_infl=Z).fit(method="bfgs", maxiter=1000, gtol=1e-9, disp=0)
check("inflated_poisson", [*fit.params[2:], *fit.params[:2]], fit.llf, 1e-5)
fit = ZeroInflatedNegativeBinomialP(frame.inflated_negbin, X, exog_infl=Z, p=2).fit(method="bfgs", maxiter=2000, gtol=1e-9, disp=0)
check("inflated_negbin", [*fit.params[2:5], *fit.params[:2], np.log(fit.params.iloc[5])], fit.llf, 1e-5)
for link, name in [("logit", "ordered_logistic"), ("probit", "ordered_probit")]:
    model = OrderedModel(frame.ordered, frame[["x", "d"]], distr=link)
    fit = model.fit(method="bfgs", maxiter=1000, gtol=1e-9, disp=0)
    cuts = model.transform_threshold_params(np.asarray(fit.params))[1:-1]
    check(name, [*fit.params[:2], *cuts], fit.llf, 1e-5)
