"""binary.json: logit, probit and complementary log-log by statsmodels, with marginal effects and predictions."""

import numpy as np
import statsmodels.api as sm
import statsmodels.formula.api as smf

from common import dataset, names, save, software

LINKS = {"logit": sm.families.links.Logit(), "probit": sm.families.links.Probit(), "cloglog": sm.families.links.CLogLog()}


def observed(fit, link):
    """Inverse of the observed information, from the second derivatives written out."""
    x, y = fit.model.exog, fit.model.endog
    eta = x @ fit.params.to_numpy()
    from scipy.stats import norm

    if link == "logit":
        p = 1 / (1 + np.exp(-eta))
        slope, curvature = y - p, -p * (1 - p)
    elif link == "probit":
        q = 2 * y - 1
        m = norm.pdf(q * eta) / norm.cdf(q * eta)
        slope, curvature = q * m, -m * (m + q * eta)
    else:
        r = np.exp(eta)
        ratio = r / np.expm1(r)
        slope = np.where(y == 1, ratio, -r)
        curvature = np.where(y == 1, ratio * (1 - r - ratio), -r)
    bread = np.linalg.inv((x * -curvature[:, None]).T @ x)
    return bread, x * slope[:, None]


def record(formula, frame, link, *, data, cluster=None):
    columns = [c for c in frame.columns if c in set(formula.replace("~", " ").replace("+", " ").split()) | {cluster}]
    frame = frame.dropna(subset=columns).reset_index(drop=True)
    fit = smf.glm(formula, frame, family=sm.families.Binomial(LINKS[link])).fit(tol=1e-15, maxiter=200)
    # One more exact Newton step, so that the estimates are good to the last digits.
    for _ in range(3):
        bread, scores = observed(fit, link)
        fit = smf.glm(formula, frame, family=sm.families.Binomial(LINKS[link])).fit(
            start_params=fit.params + bread @ scores.sum(0), maxiter=0, tol=1e-15)
    bread, scores = observed(fit, link)
    n, k = scores.shape
    hc0 = bread @ (scores.T @ scores) @ bread
    covariance = {"classical": bread, "HC0": hc0, "HC1": hc0 * n / (n - k)}
    out = dict(data=data, formula=formula, link=link, cluster=cluster, names=names(fit.params.index), estimates=fit.params,
               n=n, log_likelihood=fit.llf, null_log_likelihood=fit.llnull)
    if cluster:
        codes = frame[cluster].astype("category").cat.codes.to_numpy()
        sums = np.array([scores[codes == g].sum(0) for g in range(codes.max() + 1)])
        g = len(sums)
        covariance["cluster"] = bread @ (sums.T @ sums) @ bread * g / (g - 1) * (n - 1) / (n - k)
    out["covariance"] = covariance
    if link != "cloglog":
        model = smf.logit if link == "logit" else smf.probit
        discrete = model(formula, frame).fit(start_params=fit.params, method="newton", maxiter=50, tol=1e-14, disp=0)
        overall, mean = discrete.get_margeff(at="overall"), discrete.get_margeff(at="mean")
        out["ame"] = dict(estimates=overall.margeff, std_errors=overall.margeff_se)
        out["mem"] = dict(estimates=mean.margeff, std_errors=mean.margeff_se)
    fit._results.cov_params_default = bread
    shown = fit.get_prediction(frame.head(3)).summary_frame(alpha=0.1)
    out["predictions"] = dict(rows=frame.head(3)[columns].to_dict("list"), mean=shown["mean"], std_error=shown["mean_se"],
                              lower=shown["mean_ci_lower"], upper=shown["mean_ci_upper"], level=0.9)
    return out


def chained(frame):
    """AME of age with its square in the model: mean of p(1-p)(b + 2 c age), and of the flag black as a difference; by hand."""
    fit = smf.logit("treat ~ age + I(age**2) + educ + black", frame).fit(method="newton", maxiter=50, tol=1e-14, disp=0)
    b, v = fit.params.to_numpy(), fit.cov_params().to_numpy()
    x = fit.model.exog
    p = np.asarray(fit.predict())
    d = p * (1 - p)
    age = frame["age"].to_numpy()
    ame = np.mean(d * (b[1] + 2 * b[2] * age))
    g = (x * (d * (1 - 2 * p) * (b[1] + 2 * b[2] * age))[:, None]).mean(0)
    g[1] += d.mean()
    g[2] += (2 * age * d).mean()
    one, zero = x.copy(), x.copy()
    one[:, 4], zero[:, 4] = 1, 0
    p1, p0 = 1 / (1 + np.exp(-one @ b)), 1 / (1 + np.exp(-zero @ b))
    h = (one * (p1 * (1 - p1))[:, None] - zero * (p0 * (1 - p0))[:, None]).mean(0)
    return dict(formula="treat ~ age + I(age^2) + educ + black", age=[ame, np.sqrt(g @ v @ g)],
                black=[np.mean(p1 - p0), np.sqrt(h @ v @ h)])


nsw, thornton = dataset("nsw_mixtape"), dataset("thornton_hiv")
values = {}
for link in LINKS:
    values[f"nsw_{link}"] = record("treat ~ age + educ + black + re74", nsw, link, data="datasets/nsw_mixtape.csv")
    values[f"thornton_{link}"] = record("got ~ any + tinc + distvct + age", thornton, link, data="datasets/thornton_hiv.csv", cluster="villnum")
values["chained"] = chained(nsw)
save(
    "binary", source=software("statsmodels", "numpy", "scipy"), data=["datasets/nsw_mixtape.csv", "datasets/thornton_hiv.csv"],
    note="classical = inverse of the observed information (statsmodels' Logit and Probit; for cloglog its GLM uses the expected one, so all covariances "
         "are computed from the second derivatives written out in the script). cluster = G/(G-1) (n-1)/(n-k) times the sandwich. "
         "ame, mem: get_margeff with the classical covariance. predictions: get_prediction, interval of the index mapped to the probability.",
    values=values,
)
