"""iv.json: 2SLS, LIML and GMM by linearmodels; strength and Anderson-Rubin by the papers' formulas in plain numpy."""

import numpy as np
from linearmodels.iv import IV2SLS, IVGMM, IVLIML
from scipy import stats
from scipy.optimize import brentq

from common import dataset, generated, names, save, software

INSTRUMENTS, WEAK = "tests/reference/instruments.csv", "tests/reference/weak_instruments.csv"


# ---- estimators ----
def estimates(frame, y, exog, endog, instruments, cluster):
    formula = f"{y} ~ 1 + {' + '.join(exog)} + [{' + '.join(endog)} ~ {' + '.join(instruments)}]"
    codes = frame[cluster].astype("category").cat.codes.to_numpy() if cluster else None
    out = dict(formula=f"{y} ~ {' + '.join(exog)} | {' + '.join(endog)} ~ {' + '.join(instruments)}", cluster=cluster)
    for label, kind in [("2sls", IV2SLS), ("liml", IVLIML)]:
        model = kind.from_formula(formula, frame)
        base = model.fit(cov_type="unadjusted", debiased=True)
        cov = dict(
            classical=base.cov, classical_n=model.fit(cov_type="unadjusted", debiased=False).cov,
            HC0=model.fit(cov_type="robust", debiased=False).cov, HC1=model.fit(cov_type="robust", debiased=True).cov,
        )
        if cluster:
            cov["cluster_uncorrected"] = model.fit(cov_type="clustered", clusters=codes, debiased=False).cov
            cov["cluster"] = model.fit(cov_type="clustered", clusters=codes, debiased=True).cov
            out["clusters"] = int(len(set(codes)))
        r = dict(names=names(base.params.index), estimates=base.params, covariance=cov,
                 std_errors={k: np.sqrt(np.diag(v)) for k, v in cov.items()}, sigma2=float(base.s2), rss=float(base.resid_ss),
                 n=int(base.nobs), df_residual=int(base.df_resid), interval_95_classical=base.conf_int(0.95))
        if label == "liml":
            r["kappa"] = float(base.kappa)
            r["covariance_k_class_scores"] = k_class_scores(frame, y, exog, endog, instruments, float(base.kappa), base.params.to_numpy(),
                                                            list(base.params.index), codes)
        else:
            wu = base.wu_hausman()
            r["wu_hausman"] = dict(f=wu.stat, p=wu.pval, df1=wu.df, df2=wu.df_denom)
            du = base.durbin()
            r["durbin"] = dict(chi2=du.stat, p=du.pval, df=du.df)
        if len(instruments) > len(endog):
            s = base.sargan if label == "2sls" else base.anderson_rubin
            r["sargan" if label == "2sls" else "anderson_rubin_overidentification_lr"] = dict(chi2=s.stat, p=s.pval, df=s.df)
            b = base.basmann if label == "2sls" else base.basmann_f
            r["basmann" if label == "2sls" else "basmann_f"] = dict(stat=b.stat, p=b.pval, df=b.df, df2=getattr(b, "df_denom", None))
        out[label] = r
    if len(instruments) > len(endog):
        g = IVGMM.from_formula(formula, frame, weight_type="robust", debiased=False).fit(iter_limit=2, cov_type="robust", debiased=False)
        out["gmm_two_step_robust"] = dict(names=names(g.params.index), estimates=g.params, covariance=g.cov,
                                          hansen_j=dict(chi2=g.j_stat.stat, p=g.j_stat.pval, df=g.j_stat.df))
        if cluster:
            g = IVGMM.from_formula(formula, frame, weight_type="clustered", clusters=codes).fit(iter_limit=2, cov_type="clustered", clusters=codes)
            out["gmm_two_step_clustered"] = dict(names=names(g.params.index), estimates=g.params, covariance=g.cov,
                                                 hansen_j=dict(chi2=g.j_stat.stat, p=g.j_stat.pval, df=g.j_stat.df))
    return out


def matrices(frame, y, exog, endog, instruments):
    w = np.column_stack([np.ones(len(frame)), frame[list(exog)].to_numpy(float)])
    return frame[y].to_numpy(float), w, frame[list(endog)].to_numpy(float), frame[list(instruments)].to_numpy(float)


def residual(a, w):
    return a - w @ np.linalg.lstsq(w, a, rcond=None)[0]


def meat(scores, codes):
    if codes is None:
        return scores.T @ scores
    sums = np.zeros((codes.max() + 1, scores.shape[1]))
    np.add.at(sums, codes, scores)
    return sums.T @ sums


def k_class_scores(frame, y, exog, endog, instruments, kappa, beta, order, codes):
    yv, w, d, z = matrices(frame, y, exog, endog, instruments)
    x = np.hstack([w, d])
    labels = [*["Intercept"], *exog, *endog]
    place = [labels.index("Intercept" if o in ("1", "const", "Intercept") else o) for o in order]
    x = x[:, place]
    tilde = x - kappa * residual(x, np.hstack([w, z]))
    bread = np.linalg.inv(tilde.T @ x)
    e = yv - x @ beta
    out = {"HC0": bread @ meat(tilde * e[:, None], None) @ bread.T}
    if codes is not None:
        out["cluster_uncorrected"] = bread @ meat(tilde * e[:, None], codes) @ bread.T
    return out


# ---- strength of the instruments ----
def robust_first_stage(d, w, z, codes):
    """Coefficients of the instruments with the other regressors projected out, and their covariances."""
    n, q, k = len(d), z.shape[1], w.shape[1] + z.shape[1]
    zt, dt = residual(z, w), residual(d, w)
    gram = zt.T @ zt
    inv = np.linalg.inv(gram)
    pi = inv @ zt.T @ dt
    v = dt - zt @ pi
    cov = {"classical": inv * (v @ v) / (n - k)}
    cov["HC0"] = inv @ meat(zt * v[:, None], None) @ inv
    cov["HC1"] = cov["HC0"] * n / (n - k)
    if codes is not None:
        g = codes.max() + 1
        cov["cluster_uncorrected"] = inv @ meat(zt * v[:, None], codes) @ inv
        cov["cluster"] = cov["cluster_uncorrected"] * g / (g - 1) * (n - 1) / (n - k)
    return pi, gram, cov, n - k, q


def strength(frame, y, exog, endog, instruments, cluster):
    _, w, d, z = matrices(frame, y, exog, endog, instruments)
    codes = frame[cluster].astype("category").cat.codes.to_numpy().astype(int) if cluster else None
    out = {}
    for j, name in enumerate(endog):
        pi, gram, cov, df2, q = robust_first_stage(d[:, j], w, z, codes)
        f = {k: float(pi @ np.linalg.solve(v, pi)) / q for k, v in cov.items()}
        out[name] = dict(coefficients=pi, std_errors={k: np.sqrt(np.diag(v)) for k, v in cov.items()}, partial_f=f, df1=q, df2=df2,
                         partial_r_squared=float(pi @ gram @ pi / np.sum(residual(d[:, j], w) ** 2)))
        if len(endog) == 1:
            effective = {}
            for k, v in cov.items():
                half = np.linalg.cholesky(gram)
                w2 = half.T @ v @ half  # the covariance of the orthonormalised first-stage coefficients
                effective[k] = float(pi @ gram @ pi / np.trace(w2))
                out[name].setdefault("effective_degrees_of_freedom", {})[k] = k_eff = float(
                    np.trace(w2) ** 2 * (1 + 2 * 10) / (np.trace(w2 @ w2) + 2 * 10 * np.trace(w2) * np.linalg.eigvalsh(w2)[-1]))
                out[name].setdefault("effective_f_critical_5pct", {})[k] = {
                    f"tau_{int(100 * tau)}pct": critical(w2, 1 / tau) for tau in (0.05, 0.1, 0.2, 0.3)}
            out[name]["effective_f"] = effective
    if len(endog) > 1:
        resid = residual(d, np.hstack([w, z]))
        dt = residual(d, w)
        s = resid.T @ resid / (len(d) - w.shape[1] - z.shape[1])
        half = np.linalg.inv(np.linalg.cholesky(s))
        m = half @ (dt.T @ dt - resid.T @ resid) @ half.T / z.shape[1]
        out["cragg_donald_f"] = float(np.linalg.eigvalsh(m)[0])
        for j, name in enumerate(endog):
            others = [i for i in range(len(endog)) if i != j]
            # Sanderson & Windmeijer 2016: partial out the other endogenous regressors by 2SLS, then the first-stage F with q - (p - 1)
            zt = residual(z, w)
            o = dt[:, others]
            ohat = o - residual(o, zt)
            delta = np.linalg.lstsq(ohat, dt[:, j], rcond=None)[0]
            r = dt[:, j] - o @ delta
            rr = residual(r, zt)
            q = z.shape[1] - len(others)
            out[name]["sanderson_windmeijer_f"] = float((r @ r - rr @ rr) / q / (rr @ rr / (len(d) - w.shape[1] - z.shape[1])))
            out[name]["sanderson_windmeijer_df1"] = q
    return out


def critical(w2, x):
    k = float(np.trace(w2) ** 2 * (1 + 2 * x) / (np.trace(w2 @ w2) + 2 * x * np.trace(w2) * np.linalg.eigvalsh(w2)[-1]))
    return float(stats.ncx2.ppf(0.95, k, x * k) / k)


# ---- Anderson-Rubin ----
class AndersonRubin:
    """Wald test of the excluded instruments in the regression of y - d b on w and z."""

    def __init__(self, frame, y, exog, endog, instruments, cluster=None):
        self.y, w, self.d, z = matrices(frame, y, exog, endog, instruments)
        self.n, self.q = len(self.y), z.shape[1]
        self.k = w.shape[1] + self.q
        self.zt = residual(z, w)
        self.inv = np.linalg.inv(self.zt.T @ self.zt)
        self.yt, self.dt = residual(self.y, w), residual(self.d, w)
        self.codes = frame[cluster].astype("category").cat.codes.to_numpy().astype(int) if cluster else None
        self.parts = {}

    def wald(self, a, b, kind):
        """Of a*y - d*b, so that a = 0 gives the limit at infinity. Residuals are linear in (a, b), so the meat is a quadratic form in them."""
        t = np.concatenate([[a], -np.atleast_1d(b)])
        if kind not in self.parts:
            ys = np.column_stack([self.yt, self.dt])
            c = self.inv @ self.zt.T @ ys
            e = ys - self.zt @ c
            m = ys.shape[1]
            blocks = np.zeros((m, m, self.q, self.q))
            for i in range(m):
                for j in range(m):
                    if kind == "classical":
                        blocks[i, j] = self.inv * (e[:, i] @ e[:, j]) / (self.n - self.k)
                        continue
                    left, right = self.zt * e[:, [i]], self.zt * e[:, [j]]
                    if kind.startswith("cluster"):
                        sums = np.zeros((2, self.codes.max() + 1, self.q))
                        np.add.at(sums[0], self.codes, left)
                        np.add.at(sums[1], self.codes, right)
                        left, right = sums
                    factor = 1.0
                    if kind == "HC1":
                        factor = self.n / (self.n - self.k)
                    if kind == "cluster":
                        g = self.codes.max() + 1
                        factor = g / (g - 1) * (self.n - 1) / (self.n - self.k)
                    blocks[i, j] = self.inv @ (left.T @ right) @ self.inv * factor
            self.parts[kind] = c, blocks
        c, blocks = self.parts[kind]
        c = c @ t
        v = np.einsum("i,ijkl,j->kl", t, blocks, t)
        return float(c @ np.linalg.solve(v, c))

    def df2(self, kind):
        return self.codes.max() if kind.startswith("cluster") else self.n - self.k

    def at(self, b, kind):
        w = self.wald(1.0, b, kind)
        f = w / self.q
        return dict(beta=b, chi2=w, f=f, df1=self.q, df2=int(self.df2(kind)), p_f=stats.f.sf(f, self.q, self.df2(kind)), p_chi2=stats.chi2.sf(w, self.q))

    def confidence_set(self, level, kind, reference):
        crit = self.q * stats.f.ppf(level, self.q, self.df2(kind)) if reference == "f" else stats.chi2.ppf(level, self.q)
        gap = lambda theta: self.wald(np.cos(theta), np.sin(theta), kind) - crit  # beta = tan(theta)
        grid = np.linspace(-np.pi / 2, np.pi / 2, 4_001)
        inside = np.array([gap(t) <= 0 for t in grid])
        edges = [np.tan(brentq(gap, grid[i], grid[i + 1], xtol=1e-15, rtol=8.9e-16)) for i in range(len(grid) - 1) if inside[i] != inside[i + 1]]
        points = ([-np.inf] if inside[0] else []) + edges + ([np.inf] if inside[-1] else [])
        intervals = [points[i : i + 2] for i in range(0, len(points), 2)]
        if not intervals:
            shape = "empty"
        elif intervals == [[-np.inf, np.inf]]:
            shape = "whole line"
        elif len(intervals) == 1:
            shape = "bounded" if np.isfinite(intervals[0]).all() else "ray"
        else:
            shape = "two rays" if len(intervals) == 2 and inside[0] and inside[-1] else "union"
        return dict(level=level, reference=reference, critical_chi2_scale=crit, shape=shape, intervals=intervals,
                    wald_at_infinity=self.wald(0.0, -1.0, kind))


def anderson_rubin(frame, y, exog, endog, instruments, cluster, betas, data):
    ar = AndersonRubin(frame, y, exog, endog, instruments, cluster)
    kinds = ["classical", "HC0", "HC1"] + (["cluster_uncorrected", "cluster"] if cluster else [])
    out = dict(data=data, formula=f"{y} ~ {' + '.join(exog)} | {' + '.join(endog)} ~ {' + '.join(instruments)}", cluster=cluster, tests={}, sets={})
    for kind in kinds:
        out["tests"][kind] = [ar.at(b, kind) for b in betas]
        if len(endog) == 1:
            out["sets"][kind] = [ar.confidence_set(level, kind, ref) for level in (0.90, 0.95) for ref in ("f", "chi2")]
            print(y, endog, instruments, kind, [(s["shape"], np.round(s["intervals"], 3).tolist()) for s in out["sets"][kind][2:3]])
    return out


card = dataset("card")
CONTROLS = ["exper", "expersq", "black", "smsa", "south", "smsa66"] + [f"reg66{i}" for i in range(2, 10)]
two = generated("instruments")
weak = generated("weak_instruments")
cases = dict(
    card_just=(card, "lwage", CONTROLS, ["educ"], ["nearc4"], None, "datasets/card.csv"),
    card_over=(card, "lwage", CONTROLS, ["educ"], ["nearc4", "nearc2"], None, "datasets/card.csv"),
    two_endogenous=(two, "y", ["x"], ["d1", "d2"], ["z1", "z2", "z3", "z4"], "group", INSTRUMENTS),
    one_endogenous_four=(two, "y", ["x"], ["d1"], ["z1", "z2", "z3", "z4"], "group", INSTRUMENTS),
)
ar_cases = dict(
    card_just=cases["card_just"], card_over=cases["card_over"], two_endogenous=cases["two_endogenous"],
    bounded_just=(weak, "y_strong", ["x"], ["strong"], ["z1"], "group", WEAK),
    bounded_over=(weak, "y_strong", ["x"], ["strong"], ["z1", "z2"], "group", WEAK),
    two_rays=(weak, "y_weak", ["x"], ["weak"], ["z1"], "group", WEAK),
    two_rays_over=(weak, "y_weak", ["x"], ["weak"], ["z1", "z2"], "group", WEAK),
    whole_line=(weak, "y_none", ["x"], ["none"], ["z1"], "group", WEAK),
    whole_line_over=(weak, "y_none", ["x"], ["none"], ["z1", "z2", "z3"], "group", WEAK),
    empty=(weak, "y_invalid", ["x"], ["strong"], ["z1", "z2", "z3"], "group", WEAK),
)
values = {"fits": {}, "strength": {}, "anderson_rubin": {}}
for label, (frame, y, exog, endog, instruments, cluster, data) in cases.items():
    values["fits"][label] = dict(data=data, **estimates(frame, y, exog, endog, instruments, cluster))
    values["strength"][label] = dict(data=data, formula=values["fits"][label]["formula"], cluster=cluster, **strength(frame, y, exog, endog, instruments, cluster))
for label, (frame, y, exog, endog, instruments, cluster, data) in ar_cases.items():
    betas = [0.0, 0.1, 0.5, -1.0, 3.0] if len(endog) == 1 else [[0.0, 0.0], [0.8, -0.5], [1.0, -1.0]]
    values["anderson_rubin"][label] = anderson_rubin(frame, y, exog, endog, instruments, cluster, betas, data)

save(
    "iv", source=software("linearmodels", "numpy", "scipy"), data=["datasets/card.csv", INSTRUMENTS, WEAK], values=values,
    note="classical: s2 = rss/(n-k); classical_n: rss/n. HC1 = n/(n-k) HC0. cluster = G/(G-1) (n-1)/(n-k) cluster_uncorrected. LIML's robust covariance: the bread is that of the "
         "k-class, the scores are of the projected regressors P_Z x (linearmodels); covariance_k_class_scores has scores of (I - kappa M_Z) x, computed here. "
         "Partial F: Wald of the excluded instruments / q. Effective F (Montiel Olea & Pflueger 2013): pi' Q pi / tr(V Q), with Q the Gram of the instruments after the exogenous regressors "
         "are projected out and V the covariance of pi. Critical value, 'simplified' and conservative (bias bound B <= 1): W2 = Q^(1/2) V Q^(1/2), x = 1/tau, "
         "K_eff = tr(W2)^2 (1 + 2x) / (tr(W2 W2) + 2 x tr(W2) max eigenvalue(W2)); the 95% quantile of a noncentral chi-squared(K_eff, x K_eff), divided by K_eff. "
         "effective_degrees_of_freedom is at tau = 10%. Anderson-Rubin: Wald statistic of the instruments in the regression of y - d b on exogenous regressors and instruments, "
         "with the covariance named; f = chi2/q with F(q, n - k_w - q), clusters F(q, G - 1). Sets: {b : statistic <= quantile}, by 4,001 grid points in atan(b) and root finding; "
         "wald_at_infinity is the limit of the statistic. hansen_j: two-step GMM, uncentred weights from 2SLS residuals. Wu-Hausman: F of the first-stage residuals. "
         "Basmann and the rest are as linearmodels defines them.",
    tolerance=1e-9,
)
