"""Dynamic discrete choice by numpy: the value function by policy iteration, gradients by complex steps. Data are drawn here."""

import csv

import numpy as np
from scipy.optimize import minimize

from common import REFERENCE, save, software


def laws_of(shares, states, actions, reset):
    laws = np.zeros((actions, states, states), dtype=np.asarray(shares).dtype)
    for a in range(actions):
        for s in range(states):
            origin = 0 if a == reset else s
            for step, p in enumerate(shares):
                laws[a, s, min(origin + step, states - 1)] += p
    return laws


def solve(payoffs, laws, discount):
    """V and P(a | s): policy iteration in plain (not relative) values, also for complex payoffs."""
    states = payoffs.shape[0]
    v = np.zeros(states, dtype=complex)
    for _ in range(200):
        q = payoffs + discount * np.einsum("ast,t->sa", laws, v)
        top = q.real.max(axis=1, keepdims=True)
        bellman = (top + np.log(np.exp(q - top).sum(axis=1, keepdims=True)))[:, 0]
        p = np.exp(q - bellman[:, None])
        m = np.einsum("sa,ast->st", p, laws)
        step = np.linalg.solve(np.eye(states) - discount * m, bellman - v)
        v = v + step
        if abs(step).max() < 1e-13 * max(1.0, abs(v).max()):
            break
    q = payoffs + discount * np.einsum("ast,t->sa", laws, v)
    top = q.real.max(axis=1, keepdims=True)
    return q - top - np.log(np.exp(q - top).sum(axis=1, keepdims=True))


def complex_gradient(f, x):
    h = 1e-30
    return np.array([f(x + 1j * h * e).imag / h for e in np.eye(len(x))])


def maximum(f, start):
    """Newton with complex-step gradients and their central differences."""
    x = minimize(lambda t: -f(t.astype(complex)).real, start, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-6, "fatol": 1e-9}).x
    for _ in range(20):
        gradient, hessian = complex_gradient(f, x), curvature(f, x)
        step = np.linalg.solve(hessian, gradient)
        x = x - step
        if abs(step).max() < 1e-12 * abs(x).max():
            break
    return x, curvature(f, x)


def curvature(f, x):
    rows = []
    for j in range(len(x)):
        h = 1e-5 * max(abs(x[j]), 1e-2)
        e = np.eye(len(x))[j] * h
        rows.append((complex_gradient(f, x + e) - complex_gradient(f, x - e)) / (2 * h))
    return np.array(rows)


def draw(rng, features, theta, laws, discount, units, periods):
    p = np.exp(solve(features @ theta, laws, discount).real)
    rows = []
    for unit in range(units):
        state = 0
        for time in range(periods):
            choice = rng.choice(p.shape[1], p=p[state] / p[state].sum())
            rows.append((unit, time, state, choice))
            state = rng.choice(laws.shape[1], p=laws[choice, state].real / laws[choice, state].real.sum())
    return np.array(rows)


def write(name, rows):
    with open(REFERENCE / f"{name}.csv", "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["unit", "time", "state", "choice"])
        out.writerows(rows.tolist())


def count(rows, states, actions):
    counts = np.zeros((states, actions))
    np.add.at(counts, (rows[:, 2], rows[:, 3]), 1)
    return counts


def described(f, x, hessian, names):
    cov = np.linalg.inv(-hessian)
    return {"names": names, "estimates": x, "std_errors": np.sqrt(np.diag(cov)), "log_likelihood": f(x.astype(complex)).real}


def clustered(score_rows, hessian, groups):
    """Sandwich with the G/(G − 1) (n − 1)/(n − K) correction."""
    n, k = score_rows.shape
    sums = np.array([score_rows[groups == g].sum(axis=0) for g in np.unique(groups)])
    bread = np.linalg.inv(-hessian)
    g = len(sums)
    return np.sqrt(np.diag(g / (g - 1) * (n - 1) / (n - k) * bread @ sums.T @ sums @ bread))


def replacement():
    states, discount, reset = 40, 0.98, 1
    features = np.zeros((states, 2, 2))
    features[:, 0, 1] = -1e-3 * np.arange(states)
    features[:, 1, 0] = -1
    shares = np.array([0.35, 0.5, 0.15])
    rows = draw(np.random.default_rng(1), features, np.array([5.0, 40.0]), laws_of(shares, states, 2, reset), discount, 40, 40)
    write("dynamic_replacement", rows)
    counts = count(rows, states, 2)
    steps = np.full(len(rows), -1)
    for i in range(len(rows) - 1):
        if rows[i, 0] == rows[i + 1, 0]:
            origin = 0 if rows[i, 3] == reset else rows[i, 2]
            if origin + 2 < states:
                steps[i] = rows[i + 1, 2] - origin
    seen = np.array([(steps == j).sum() for j in range(3)])
    first = seen / seen.sum()

    def partial(theta):
        return (counts * solve(features @ theta, laws_of(first, states, 2, reset), discount)).sum()

    def full(x):
        p = np.array([x[2], x[3], 1 - x[2] - x[3]])
        return (counts * solve(features @ x[:2], laws_of(p, states, 2, reset), discount)).sum() + (seen * np.log(p)).sum()

    x, hessian = maximum(partial, np.array([4.0, 30.0]))
    names = ["replacement", "cost"]
    values = {"partial": described(partial, x, hessian, names)}
    x, hessian = maximum(full, np.concatenate([x, first[:2]]))
    values["full"] = described(full, x, hessian, names + ["increment[0]", "increment[1]"])

    def row_value(x, i):
        p = np.array([x[2], x[3], 1 - x[2] - x[3]])
        logs = solve(features @ x[:2], laws_of(p, states, 2, reset), discount)
        out = logs[rows[:, 2], rows[:, 3]].copy()
        out[steps >= 0] += np.log(p)[steps[steps >= 0]]
        return out

    h = 1e-30
    scores = np.array([row_value(x + 1j * h * e, None).imag / h for e in np.eye(4)]).T
    values["full"]["clustered"] = clustered(scores, hessian, rows[:, 0])
    return values


def repair():
    """Three actions, six states, laws by frequencies."""
    states, actions, discount = 6, 3, 0.9
    features = np.zeros((states, actions, 3))
    for s in range(states):
        features[s, 0, 0] = -s
        features[s, 1] = [-0.5 * s, -1, 0]
        features[s, 2, 2] = -1
    laws = np.zeros((actions, states, states))
    for s in range(states):
        for a, origin in enumerate([s, max(s - 1, 0), 0]):
            for step, p in enumerate([0.4, 0.4, 0.2]):
                laws[a, s, min(origin + step, states - 1)] += p
    rows = draw(np.random.default_rng(2), features, np.array([0.4, 0.8, 2.0]), laws, discount, 60, 25)
    write("dynamic_repair", rows)
    counts = count(rows, states, actions)
    found = np.zeros_like(laws)
    for now, then in zip(rows[:-1], rows[1:]):
        if now[0] == then[0]:
            found[now[3], now[2], then[2]] += 1
    found /= found.sum(axis=2, keepdims=True)

    def value(theta):
        return (counts * solve(features @ theta, found, discount)).sum()

    x, hessian = maximum(value, np.array([0.3, 1.0, 1.5]))
    return {"partial": described(value, x, hessian, ["cost", "repair", "replacement"])}


save(
    "dynamic_choice",
    source=software("numpy", "scipy"),
    data="dynamic_replacement.csv, dynamic_repair.csv (drawn by this script)",
    values={"replacement": replacement(), "repair": repair()},
    tolerance=1e-6,
    note="independent: policy iteration on plain values, complex-step gradients, Newton; clustered errors with G/(G − 1) (n − 1)/(n − K)",
)
