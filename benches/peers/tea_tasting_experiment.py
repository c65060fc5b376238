"""tea-tasting on polars: five metrics and the sample ratio of 10 000 000 users. Usage: TASK FILE [REPETITIONS]"""

import sys

import polars
import tea_tasting as tt

from measure import measure

task, path, *rest = sys.argv[1:]
frame = polars.read_csv(path)
experiment = tt.Experiment(
    sessions=tt.Mean("sessions"),
    orders=tt.Mean("orders"),
    rate=tt.RatioOfMeans("orders", "sessions"),
    revenue=tt.Mean("revenue", "revenue_b"),
    adjusted_rate=tt.RatioOfMeans("orders", "sessions", "orders_b", "sessions_b"),
    sample_ratio=tt.SampleRatio(),
)


def once():
    found = experiment.analyze(frame)
    numbers = {}
    for metric in ["sessions", "orders", "rate", "revenue", "adjusted_rate"]:
        effect = found[metric]
        numbers |= {f"{metric} difference": effect.effect_size, f"{metric} lower": effect.effect_size_ci_lower, f"{metric} p": effect.pvalue}
    return numbers


measure(task, "tea-tasting", tt.__version__, once, *map(int, rest))
