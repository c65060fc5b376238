"""Item response models by direct maximisation of the marginal likelihood: an independent program.

Draws persons with a seed, writes their answers, and maximises each model over its reported parameters (discriminations, difficulties,
thresholds, steps, means, variances) with 51 Gauss-Hermite nodes per person. Gradients are complex steps; the
method of Berndt, Hall, Hall and Hausman ends at a decrement of 1e-15, and the Hessian is a central difference of gradients, so that estimates have
about seven digits and covariances six.

    python tests/reference/make/ability.py      # numpy
"""

import datetime
import json
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent.parent
PERSONS = 400
Z, W = np.polynomial.hermite_e.hermegauss(51)
W = W / np.sqrt(2 * np.pi)


def logistic(v):
    return 1 / (1 + np.exp(-v))


# Probabilities of all answers, one row each, at abilities a (any shape).
def two(d, b, a):
    p = logistic(d * (a - b))
    return [1 - p, p]


def three(d, b, g, a):
    p = g + (1 - g) * logistic(d * (a - b))
    return [1 - p, p]


def graded(d, cuts, a):
    above = [np.ones_like(a * d)] + [logistic(d * (a - b)) for b in cuts] + [np.zeros_like(a * d)]
    return [above[m] - above[m + 1] for m in range(len(cuts) + 1)]


def partial(d, steps, a):
    sums = [0 * a * d]
    for b in steps:
        sums.append(sums[-1] + d * (a - b))
    e = [np.exp(s) for s in sums]
    total = sum(e)
    return [v / total for v in e]


def simulate():
    random = np.random.default_rng(20260412)
    x = np.round(random.normal(size=PERSONS), 3)
    z = random.integers(0, 2, PERSONS)
    group = random.integers(0, 2, PERSONS)
    village = random.integers(0, 35, PERSONS)
    a = random.normal(size=PERSONS)
    shifted = 0.5 * x - 0.4 * z + a
    grouped = np.where(group == 1, 0.6 + 1.4 * a, a)

    def draw(p):
        u = random.uniform(size=PERSONS)
        c = np.cumsum(np.array(p), axis=0)
        return (u[None, :] > c).sum(axis=0)

    columns = {"x": x, "z": z, "group": group, "village": village}
    for k, (d, b) in enumerate([(1.3, [-1.2, 0.1, 1.4]), (0.8, [-1.6, -0.2, 1.0]), (1.9, [-0.8, 0.3, 1.1]), (1.1, [-0.5, 0.6, 1.9])]):
        columns[f"g{k + 1}"] = draw(graded(d, b, a))
    for k, (d, b) in enumerate([(1.2, [-0.7, 0.5]), (0.7, [0.2, -0.4]), (1.6, [-1.1, 0.8]), (1.0, [0.1, 1.2])]):
        columns[f"p{k + 1}"] = draw(partial(d, b, a))
    for k, (d, b, g) in enumerate([(1.5, -0.5, 0.2), (1.2, 0.4, 0.15), (2.0, 0.9, 0.25), (1.0, -1.1, 0.2), (1.7, 0.1, 0.1), (1.3, 1.4, 0.2)]):
        columns[f"t{k + 1}"] = draw(three(d, b, g, a))
    binary = [(1.1, -0.8), (1.6, 0.3), (0.8, 0.9), (1.4, -0.2), (1.0, 0.1), (2.1, 1.0)]
    for k, (d, b) in enumerate(binary):
        columns[f"d{k + 1}"] = draw(two(d, b, grouped)).astype(float)
        columns[f"d{k + 1}"][random.uniform(size=PERSONS) < 0.1] = np.nan
        columns[f"e{k + 1}"] = draw(two(d, b, shifted)).astype(float)
        columns[f"e{k + 1}"][random.uniform(size=PERSONS) < 0.1] = np.nan
    features = [(1, 0), (0, 1), (1, 1), (2, 0), (0, 2), (1, 2)]
    for k, (u, v) in enumerate(features):
        columns[f"r{k + 1}"] = draw(two(1.2, -1.0 + 0.6 * u + 0.5 * v, a))
    return columns


def write(columns):
    names = list(columns)
    with open(HERE / "ability.csv", "w") as out:
        out.write(",".join(names) + "\n")
        for i in range(PERSONS):
            row = [columns[n][i] for n in names]
            out.write(",".join("" if v != v else f"{v:g}" for v in row) + "\n")


# ln of the marginal likelihood of each person: items is [(codes, probabilities(a))], ability at mean + sd z.
def persons(items, mean, sd):
    mean = np.asarray(mean).reshape(-1, 1)
    sd = np.asarray(sd).reshape(-1, 1)
    a = mean + sd * Z[None, :] + 0 * np.zeros((PERSONS, 1))
    ln = np.zeros(a.shape, dtype=a.dtype)
    for codes, probabilities in items:
        p = probabilities(a)
        ln = ln + 0j
        for c, pc in enumerate(p):
            rows = codes == c
            pc = np.where(pc.real > 0, pc, np.nan)
            ln[rows] = ln[rows] + np.log(pc[rows])
    top = ln.real.max(axis=1, keepdims=True)
    return np.log((np.exp(ln - top) * W[None, :]).sum(axis=1)) + top[:, 0]


def scores(f, theta):
    out = []
    for j in range(len(theta)):
        t = theta.astype(complex)
        t[j] += 1e-30j
        out.append(f(t).imag / 1e-30)
    return np.array(out).T


def maximise(f, theta):
    total = f

    def hessian(t):
        h = np.zeros((len(t), len(t)))
        for i in range(len(t)):
            step = 1e-5 * max(1, abs(t[i]))
            for j in range(i, len(t)):
                ends = []
                for sign in (1, -1):
                    u = t.astype(complex)
                    u[i] += sign * step
                    u[j] += 1e-30j
                    ends.append(total(u).imag.sum() / 1e-30)
                h[i, j] = h[j, i] = (ends[0] - ends[1]) / (2 * step)
        return h

    value = total(theta).real.sum()
    for _ in range(300):
        rows = scores(total, theta)
        g, info = rows.sum(axis=0), rows.T @ rows
        step = np.linalg.solve(info, g)
        factor = 1.0
        with np.errstate(all="ignore"):
            while not total(theta + factor * step).real.sum() >= value - 1e-9:
                factor /= 2
        theta = theta + factor * step
        value = total(theta).real.sum()
        if abs(step @ g) < 1e-15:
            break
    else:
        raise SystemExit("no convergence")
    information = -hessian(theta)
    covariance = np.linalg.inv(information)
    s = scores(f, theta)
    return theta, f(theta).real.sum(), covariance, s


def record(names, found, village=None):
    theta, value, covariance, s = found
    out = {
        "names": names,
        "estimates": theta.tolist(),
        "log_likelihood": value,
        "covariance": covariance.tolist(),
    }
    if village is not None:
        out["hc0"] = (covariance @ (s.T @ s) @ covariance).tolist()
        sums = np.array([s[village == v].sum(axis=0) for v in np.unique(village)])
        out["cr0"] = (covariance @ (sums.T @ sums) @ covariance).tolist()
    print(names[:3], np.round(theta, 4), round(value, 6))
    return out


def dump(values):
    out = {
        "source": f"numpy {np.__version__}, tests/reference/make/ability.py",
        "command": "python tests/reference/make/ability.py",
        "date": datetime.date.today().isoformat(),
        "data": "tests/reference/ability.csv",
        "tolerance": 1e-5,
        "note": "Direct maximisation with 51 Gauss-Hermite nodes; gradients by complex steps, Hessians by differences of them (about 6 digits).",
        "values": values,
    }
    (HERE / "ability.json").write_text(json.dumps(out, indent=1) + "\n")


def main():
    data = simulate()
    write(data)
    values = {}

    # Partial credit.
    def f(t):
        items = [(data[f"p{k + 1}"], lambda a, p=t[1 + 2 * k : 3 + 2 * k]: partial(t[0], p, a)) for k in range(4)]
        return persons(items, 0, 1)

    names = ["discrimination"] + [f"step{m + 1}[p{k + 1}]" for k in range(4) for m in range(2)]
    values["partial_credit"] = record(names, maximise(f, np.array([1.0] + [0.0] * 8)))
    dump(values)

    # Difficulty as a function of features (LLTM).
    features = [(1, 0), (0, 1), (1, 1), (2, 0), (0, 2), (1, 2)]

    def f(t):
        items = [(data[f"r{k + 1}"], lambda a, b=t[1] + t[2] * u + t[3] * v: two(t[0], b, a)) for k, (u, v) in enumerate(features)]
        return persons(items, 0, 1)

    names = ["discrimination", "difficulty.(Intercept)", "difficulty.u", "difficulty.v"]
    values["features"] = record(names, maximise(f, np.array([1.0, -0.5, 0.5, 0.5])))
    dump(values)

    # Models mixed, scale fixed by an anchor.
    def f(t):
        items = [(data["g1"], lambda a: graded(t[0], t[1:4], a)), (data["p2"], lambda a: partial(t[4], t[5:7], a))]
        items += [(data["t1"], lambda a: two(1.0, 0.0, a)), (data["t4"], lambda a: two(t[7], t[8], a))]
        return persons(items, t[9], np.sqrt(t[10]))

    names = ["discrimination[g1]", "threshold1[g1]", "threshold2[g1]", "threshold3[g1]", "discrimination[p2]", "step1[p2]", "step2[p2]"]
    names += ["discrimination[t4]", "difficulty[t4]", "ability_mean", "ability_variance"]
    start = np.array([1.0, -1, 0.1, 1.3, 0.7, 0.2, 0.0, 1.0, -1.0, 0.5, 1.0])
    values["mixed"] = record(names, maximise(f, start))
    dump(values)

    # Two groups, answers missing.
    def f(t):
        items = [(data[f"d{k + 1}"], lambda a, p=t[2 * k : 2 * k + 2]: two(p[0], p[1], a)) for k in range(6)]
        second = data["group"] == 1
        return persons(items, np.where(second, t[12], 0 * t[12]), np.where(second, np.sqrt(t[13]), 1 + 0 * t[13]))

    names = [n for k in range(6) for n in [f"discrimination[d{k + 1}]", f"difficulty[d{k + 1}]"]] + ["ability_mean[1]", "ability_variance[1]"]
    values["two_groups"] = record(names, maximise(f, np.array([1.0, 0.0] * 6 + [0.3, 1.2])), data["village"])
    dump(values)

    # Regressors of ability, answers missing.
    def f(t):
        items = [(data[f"e{k + 1}"], lambda a, p=t[2 * k : 2 * k + 2]: two(p[0], p[1], a)) for k in range(6)]
        return persons(items, t[12] * data["x"] + t[13] * data["z"], 1)

    names = [n for k in range(6) for n in [f"discrimination[e{k + 1}]", f"difficulty[e{k + 1}]"]] + ["ability.x", "ability.z"]
    values["regressors"] = record(names, maximise(f, np.array([1.0, 0.0] * 6 + [0.3, -0.2])), data["village"])
    dump(values)

    # Graded response and (generalised) partial credit.
    for model, prefix, probabilities, cut in [("graded", "g", graded, "threshold"), ("generalized_partial_credit", "p", partial, "step")]:
        count = int(max(data[prefix + "1"]))
        width = count + 1
        names = [n for k in range(4) for n in [f"discrimination[{prefix}{k + 1}]"] + [f"{cut}{m + 1}[{prefix}{k + 1}]" for m in range(count)]]

        def f(t, prefix=prefix, probabilities=probabilities, width=width):
            items = [
                (data[f"{prefix}{k + 1}"], lambda a, p=t[k * width : (k + 1) * width]: probabilities(p[0], p[1:], a))
                for k in range(4)
            ]
            return persons(items, 0, 1)

        start = np.array(([1.0] + list(np.linspace(-1, 1, count))) * 4)
        values[model] = record(names, maximise(f, start))
        dump(values)


main()
