"""selection.csv and selection.json: Heckman's selection model, bivariate probit, probit with an endogenous regressor.

No package of the reference environment has them, so the likelihoods and estimating equations are written down here from the papers, with analytic scores
checked against differences of the likelihood. Hessians and Jacobians are central differences of the scores. Heckman's Mroz estimates agree with
those printed (Wooldridge; sampleSelection's vignette), which is asserted; bivariate probits agree with VGAM's binom2.rho (`selection.R`)."""

import numpy as np
from scipy import stats
from scipy.special import log_ndtr
from scipy.stats import multivariate_normal, norm

from common import REFERENCE, dataset, generated, save, software


def make_data(n=500):
    rng = np.random.default_rng(20261121)
    x, z1, z2 = rng.normal(size=(3, n))
    group = rng.integers(0, 50, n)
    e = rng.normal(size=(2, n))
    u, v = e[0], 0.6 * e[0] + 0.8 * e[1]
    d = 0.5 + 0.4 * x + 0.7 * z1 - 0.3 * z2 + 1.5 * v
    ybin = (0.3 - 0.5 * x + 0.4 * d + u > 0).astype(int)
    y1 = (0.2 + 0.6 * x - 0.5 * z1 + v > 0).astype(int)
    y2 = (-0.3 + 0.4 * x + 0.5 * y1 + 0.3 * z2 + u > 0).astype(int)
    seen = (0.4 + 0.5 * x + 0.8 * z1 + v > 0).astype(int)
    wage = 1 + 0.5 * x + 0.3 * z2 + 1.2 * u
    count = rng.integers(1, 4, n)
    columns = dict(x=x, z1=z1, z2=z2, d=d, ybin=ybin, y1=y1, y2=y2, seen=seen, wage=np.where(seen == 1, wage, np.nan), group=group, count=count)
    import pandas as pd
    pd.DataFrame(columns).round(6).to_csv(REFERENCE / "selection.csv", index=False)


def mills(a):
    return np.exp(norm.logpdf(a) - log_ndtr(a))


def jacobian(f, theta, steps):
    out = []
    for j, h in enumerate(steps):
        e = np.zeros_like(theta)
        e[j] = h
        out.append((-f(theta + 2 * e) + 8 * f(theta + e) - 8 * f(theta - e) + f(theta - 2 * e)) / (12 * h))
    return np.array(out).T


def solve(equations, theta, scale):
    """The root of mean-zero equations by Newton with differences; `scale` are rough standard errors."""
    theta = np.array(theta, float)
    for _ in range(100):
        j = jacobian(lambda t: equations(t).sum(0), theta, 1e-3 * scale)
        step = np.linalg.solve(j, -equations(theta).sum(0))
        step *= min(1, 3 / np.max(np.abs(step) / scale))
        theta = theta + step
        if np.max(np.abs(step) / scale) < 1e-11:
            break
    else:
        raise RuntimeError("no convergence")
    return theta, jacobian(lambda t: equations(t).sum(0), theta, 1e-3 * scale)


def hc0(equations, theta, j):
    a = np.linalg.inv(j)
    s = equations(theta) @ a.T
    return s.T @ s


def columns(frame, names):
    return np.column_stack([np.ones(len(frame)) if c == "1" else frame[c] for c in names])


def check_score(value, score, theta, scale):
    ours = score(theta)
    numeric = jacobian(lambda t: value(t), theta, 1e-3 * scale)
    assert np.max(np.abs((ours - numeric) * scale)) < 1e-6, np.max(np.abs((ours - numeric) * scale))


def probit_equations(y, x):
    q = 2 * y - 1
    return lambda b: (q * mills(q * (x @ b)))[:, None] * x


def probit(y, x):
    scale = 1 / np.sqrt((x**2).sum(0) * 0.5)
    return solve(probit_equations(y, x), np.zeros(x.shape[1]), scale)


def heckman(frame, outcome, xnames, selection, znames):
    s = frame[selection].to_numpy(float)
    seen = s == 1
    y = frame[outcome].to_numpy(float)[seen]
    x, z = columns(frame[seen], ["1"] + xnames), columns(frame, ["1"] + znames)
    kx, kz = x.shape[1], z.shape[1]
    gamma, jg = probit(s, z)
    vg = np.linalg.inv(-jg)
    a = z[seen] @ gamma
    lam = mills(a)
    delta = lam * (lam + a)
    w = np.column_stack([x, lam])
    b = np.linalg.lstsq(w, y, rcond=None)[0]
    e = y - w @ b
    sigma2 = e @ e / len(y) + b[-1] ** 2 * delta.mean()
    sigma = np.sqrt(sigma2)
    rho = b[-1] / sigma
    inv = np.linalg.inv(w.T @ w)
    bridge = w.T @ (delta[:, None] * z[seen])
    own = sigma2 * inv @ (w.T @ ((1 - rho**2 * delta)[:, None] * w) + rho**2 * bridge @ vg @ bridge.T) @ inv

    # Two steps as one system of equations, with sigma^2 and rho.
    def system(t):
        beta, lam_, g, s2, r = t[:kx], t[kx], t[kx + 1:kx + 1 + kz], t[-2], t[-1]
        first = probit_equations(s, z)(g)
        aa = z[seen] @ g
        ll = mills(aa)
        ww = np.column_stack([x, ll])
        ee = y - ww @ np.append(beta, lam_)
        dd = ll * (ll + aa)
        out = np.zeros((len(s), len(t)))
        out[seen, :kx + 1] = ee[:, None] * ww
        out[:, kx + 1:kx + 1 + kz] = first
        out[seen, -2] = ee**2 + lam_**2 * dd - s2**2
        out[seen, -1] = lam_ / s2 - r
        return out

    theta = np.concatenate([b, gamma, [sigma, rho]])
    scale = np.concatenate([np.sqrt(np.diag(own)), np.sqrt(np.diag(vg)), [0.1, 0.1]])
    j = jacobian(lambda t: system(t).sum(0), theta, 1e-3 * scale)
    stacked = hc0(system, theta, j)
    order = list(range(kx)) + list(range(kx + 1, kx + 1 + kz)) + [kx]
    joint = np.block([[own, b[-1] * inv @ bridge @ vg], [(b[-1] * inv @ bridge @ vg).T, vg]])
    two = dict(estimates=theta[order], classical=joint[np.ix_(order, order)], HC0=stacked[np.ix_(order, order)], sigma=sigma, rho=rho,
               sigma_se_HC0=np.sqrt(stacked[-2, -2]), rho_se_HC0=np.sqrt(stacked[-1, -1]))

    # Maximum likelihood.
    def parts(t):
        beta, g, ls, ar = t[:kx], t[kx:kx + kz], t[-2], t[-1]
        eps = (y - x @ beta) * np.exp(-ls)
        idx = z @ g
        arg = idx[seen] * np.cosh(ar) + eps * np.sinh(ar)
        return eps, idx, arg, ls, ar

    def value(t):
        eps, idx, arg, ls, ar = parts(t)
        return log_ndtr(-idx[~seen]).sum() + (norm.logpdf(eps) - ls + log_ndtr(arg)).sum()

    def scores(t):
        eps, idx, arg, ls, ar = parts(t)
        m = mills(arg)
        out = np.zeros((len(s), len(t)))
        out[seen, :kx] = ((eps - m * np.sinh(ar)) * np.exp(-ls))[:, None] * x
        out[seen, kx:kx + kz] = (m * np.cosh(ar))[:, None] * z[seen]
        out[~seen, kx:kx + kz] = (-mills(-idx[~seen]))[:, None] * z[~seen]
        out[seen, -2] = eps**2 - 1 - m * eps * np.sinh(ar)
        out[seen, -1] = m * (idx[seen] * np.sinh(ar) + eps * np.cosh(ar))
        return out

    start = np.concatenate([b[:-1], gamma, [np.log(sigma), np.arctanh(np.clip(rho, -0.8, 0.8))]])
    scale = np.concatenate([np.sqrt(np.diag(own))[:-1], np.sqrt(np.diag(vg)), [0.05, 0.1]])
    check_score(value, lambda t: scores(t).sum(0), start, scale)
    t, h = solve(scores, start, scale)
    v = np.linalg.inv(-h)
    names = ["(Intercept)"] + xnames + ["select.(Intercept)"] + ["select." + n for n in znames]
    r = np.tanh(t[-1])
    ols = np.linalg.lstsq(x, y, rcond=None)[0]
    rss = ((y - x @ ols) ** 2).mean()
    apart = len(y) * (-0.5 * np.log(2 * np.pi * rss) - 0.5) + log_ndtr((2 * s - 1) * (z @ gamma)).sum()
    ml = dict(estimates=t, classical=v, HC0=hc0(scores, t, h), log_likelihood=value(t), sigma=np.exp(t[-2]), sigma_se=np.exp(t[-2]) * np.sqrt(v[-2, -2]),
              rho=r, rho_se=(1 - r**2) * np.sqrt(v[-1, -1]), lr=2 * (value(t) - apart))
    return dict(names=names, two_step=two, ml=ml, selected=int(seen.sum()))


def bivariate_probit(frame, y1, x1, y2, x2):
    ya, yb = frame[y1].to_numpy(float), frame[y2].to_numpy(float)
    a, b = columns(frame, ["1"] + x1), columns(frame, ["1"] + x2)
    ka, kb = a.shape[1], b.shape[1]
    qa, qb = 2 * ya - 1, 2 * yb - 1

    nodes, weights = np.polynomial.legendre.leggauss(60)

    def phi2(h, k, r):
        # Plackett: Phi(h)Phi(k) + int_0^r phi2(h, k, s) ds, with s = sin(theta)
        top = np.arcsin(r)
        theta = top[:, None] * (nodes + 1) / 2
        f = np.exp(-(h[:, None]**2 - 2 * h[:, None] * k[:, None] * np.sin(theta) + k[:, None]**2) / (2 * np.cos(theta)**2))
        return norm.cdf(h) * norm.cdf(k) + (f * weights).sum(1) * top / 2 / (2 * np.pi)

    def parts(t):
        r = np.tanh(t[-1])
        return qa * (a @ t[:ka]), qb * (b @ t[ka:ka + kb]), qa * qb * r

    def value(t):
        return np.log(phi2(*parts(t))).sum()

    def scores(t):
        h, k, r = parts(t)
        p, c = phi2(h, k, r), np.sqrt(1 - r**2)
        gh = norm.pdf(h) * norm.cdf((k - r * h) / c) / p
        gk = norm.pdf(k) * norm.cdf((h - r * k) / c) / p
        dens = np.exp(-(h**2 - 2 * r * h * k + k**2) / (2 * c**2)) / (2 * np.pi * c) / p
        return np.column_stack([(qa * gh)[:, None] * a, (qb * gk)[:, None] * b, qa * qb * dens * c**2])

    h, k, r = parts(np.full(ka + kb + 1, 0.2))
    library = [multivariate_normal.cdf([h[i], k[i]], cov=[[1, r[i]], [r[i], 1]]) for i in range(20)]
    assert np.max(np.abs(phi2(h, k, r)[:20] - library)) < 1e-6
    ba, ja = probit(ya, a)
    bb, jb = probit(yb, b)
    start = np.concatenate([ba, bb, [0.1]])
    scale = np.concatenate([np.sqrt(np.diag(np.linalg.inv(-ja))), np.sqrt(np.diag(np.linalg.inv(-jb))), [0.1]])
    check_score(value, lambda t: scores(t).sum(0), start, scale)
    t, j = solve(scores, start, scale)
    v = np.linalg.inv(-j)
    apart = log_ndtr(qa * (a @ ba)).sum() + log_ndtr(qb * (b @ bb)).sum()
    return dict(names=["(Intercept)"] + x1 + [f"{y2}.(Intercept)"] + [f"{y2}.{n}" for n in x2] + ["atanh_rho"], estimates=t, classical=v, HC0=hc0(scores, t, j),
                log_likelihood=value(t), lr=2 * (value(t) - apart), rho=np.tanh(t[-1]), rho_se=(1 - np.tanh(t[-1])**2) * np.sqrt(v[-1, -1]))


def endogenous_probit(frame, y, x, d, instruments, at):
    yy, dd = frame[y].to_numpy(float), frame[d].to_numpy(float)
    z, own = columns(frame, ["1"] + x + instruments), columns(frame, ["1", d] + x)
    kz, k = z.shape[1], own.shape[1] + 1
    q = 2 * yy - 1
    pi = np.linalg.lstsq(z, dd, rcond=None)[0]
    v = dd - z @ pi

    def second(t):
        delta, p = t[:k], t[k:]
        w = np.column_stack([own, dd - z @ p])
        return (q * mills(q * (w @ delta)))[:, None] * w

    def system(t):
        return np.column_stack([second(t), (dd - z @ t[k:])[:, None] * z])

    w = np.column_stack([own, v])
    delta, jd = probit(yy, w)
    theta = np.concatenate([delta, pi])
    v_pi = np.linalg.inv(z.T @ z) * (v @ v / len(v))
    v_delta = np.linalg.inv(-jd)
    scale = np.concatenate([np.sqrt(np.diag(v_delta)), np.sqrt(np.diag(v_pi))])
    j = jacobian(lambda t: system(t).sum(0), theta, 1e-3 * scale)
    stacked = hc0(system, theta, j)
    c = v_delta @ j[:k, k:]
    classical = np.block([[v_delta + c @ v_pi @ c.T, c @ v_pi], [v_pi @ c.T, v_pi]])

    def asf(t):
        w_ = np.column_stack([own, dd - z @ t[k:]])
        w_[:, 1] = at
        return np.array([norm.cdf(w_ @ t[:k]).mean()])

    g = jacobian(asf, theta, 1e-3 * scale)[0]
    names = ["(Intercept)", d] + x + [f"residual({d})"] + [f"{d}.{n}" for n in ["(Intercept)"] + x + instruments]
    psi = (v[:, None] * z) @ np.linalg.inv(z.T @ z)
    meat = psi.T @ psi
    iv = slice(1 + len(x), kz)
    f = pi[iv] @ np.linalg.solve(meat[iv, iv], pi[iv]) / len(instruments)
    two = dict(names=names, estimates=theta, classical=classical, HC0=stacked, asf=asf(theta)[0], asf_se_HC0=np.sqrt(g @ stacked @ g), first_stage_f=f)

    def parts(t):
        ls, ar = t[-2], t[-1]
        e = (dd - z @ t[k - 1:k - 1 + kz]) * np.exp(-ls)
        arg = q * ((own @ t[:k - 1]) * np.cosh(ar) + e * np.sinh(ar))
        return e, arg, ls, ar

    def value(t):
        e, arg, ls, ar = parts(t)
        return (norm.logpdf(e) - ls + log_ndtr(arg)).sum()

    def scores(t):
        e, arg, ls, ar = parts(t)
        m = q * mills(arg)
        return np.column_stack([(m * np.cosh(ar))[:, None] * own, ((e - m * np.sinh(ar)) * np.exp(-ls))[:, None] * z, e**2 - 1 - m * e * np.sinh(ar),
                                m * ((own @ t[:k - 1]) * np.sinh(ar) + e * np.cosh(ar))])

    s = np.sqrt(v @ v / len(v))
    shrink = np.sqrt(1 + (delta[-1] * s) ** 2)
    start = np.concatenate([delta[:-1] / shrink, pi, [np.log(s), np.arctanh(delta[-1] * s / shrink)]])
    scale = np.concatenate([np.sqrt(np.diag(v_delta))[:-1], np.sqrt(np.diag(v_pi)), [0.05, 0.1]])
    check_score(value, lambda t: scores(t).sum(0), start, scale)
    t, h = solve(scores, start, scale)
    ml = dict(names=["(Intercept)", d] + x + [f"{d}.{n}" for n in ["(Intercept)"] + x + instruments] + ["ln_sigma", "atanh_rho"], estimates=t, classical=np.linalg.inv(-h),
              HC0=hc0(scores, t, h), log_likelihood=value(t))
    return dict(two_step=two, ml=ml, at=at)


if not (REFERENCE / "selection.csv").exists():
    make_data()
mroz, small = dataset("mroz"), generated("selection")
ours = heckman(mroz, "lwage", ["educ", "exper", "expersq"], "inlf", ["nwifeinc", "educ", "exper", "expersq", "age", "kidslt6", "kidsge6"])
assert abs(ours["two_step"]["estimates"][-1] - 0.03226) < 1e-5 and abs(ours["ml"]["log_likelihood"] + 832.885) < 1e-3
assert abs(ours["two_step"]["estimates"][1] - 0.10907) < 1e-5 and abs(ours["ml"]["rho"] - 0.02661) < 1e-5
save(
    "selection", source=software("numpy", "scipy") + "; written down from the papers, see the script", data=["datasets/mroz.csv", "tests/reference/selection.csv"], tolerance=1e-7,
    note="classical: two-step by Heckman's and Murphy-Topel's formulas (first-stage variance over n), likelihoods by the inverse observed information. HC0: sandwich of the stacked "
         "estimating equations, no correction. Names: select. and d. for the other equation; two-step names end with lambda.",
    values=dict(
        heckman_mroz=ours,
        heckman_small=heckman(small, "wage", ["x", "z2"], "seen", ["x", "z1"]),
        bivariate=bivariate_probit(small, "y1", ["x", "z1"], "y2", ["x", "z2"]),
        bivariate_common=bivariate_probit(small, "y1", ["x", "z1", "z2"], "y2", ["x", "z1", "z2"]),
        recursive=bivariate_probit(small, "y1", ["x", "z1"], "y2", ["x", "y1", "z2"]),
        endogenous=endogenous_probit(small, "ybin", ["x"], "d", ["z1", "z2"], 1.0),
    ),
)
