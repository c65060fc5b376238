"""Times this crate and the reference software on the same files, one after the other, and prints the ratios.

    python3 benches/peers/run.py [--tasks TASK,...] [--repetitions N] [--data FOLDER] [--environment FOLDER] [--timeout SECONDS]

Makes a private Python environment from the registry (pinned versions) and the data (seeded) if they are not there, builds the release binary, and
writes `target/peers.json` and `target/peers.md`. Run it on an idle machine: a contended one triples wall times.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = ["statsmodels==0.15.0", "pyfixest==0.60.0", "numpy==2.4.6", "pandas==3.1.1", "scipy==1.17.1", "lightgbm==4.7.0",
            "tea-tasting==1.14.0", "polars==2.1.0", "econml==0.17.0", "scikit-uplift==0.5.1", "causalml==0.18.0", "obp==0.4.1", "mabwiser==2.7.4",
            "doubleml==0.11.4", "rdrobust==2.1.1", "csdid==0.4.3"]
# task: file, peer's script (Python or R with the survival package; none when there is no peer), relative agreement asked of the numbers both found
TASKS = {
    "ols_hc1": ("ols", "statsmodels_ols.py", 1e-9),
    "ols_cluster": ("ols", "statsmodels_ols.py", 1e-9),
    "fe_two_way": ("two_way", "pyfixest_feols.py", 1e-5),
    "fe_low_mobility": ("low_mobility", "pyfixest_feols.py", 1e-5),
    "logit": ("ols", "statsmodels_logit.py", 1e-6),
    "cox": ("cox", "survival_coxph.R", 1e-8),
    "bootstrap_mean": ("sample", "scipy_bootstrap.py", 0.05),
    "bootstrap_poisson": ("sample", "scipy_bootstrap.py", 0.05),
    "bootstrap_little_bags": ("sample", "scipy_bootstrap.py", 0.1),
    "permutation": ("experiment", "scipy_permutation.py", 0.1),
    "experiment": ("users", "tea_tasting_experiment.py", 1e-8),
    "wild_cluster": ("clustered", None, 1),
    "trees_squared": ("trees", "lightgbm_trees.py", 0.01),
    "trees_logistic": ("trees", "lightgbm_trees.py", 0.01),
    "causal_forest": ("effects", "econml_forest.py", 0.05),
    "uplift_curve": ("ranking", "sklift_curve.py", 0.01),
    "policy_tree": ("policies", "econml_policy.py", 0.05),
    "uplift_forest": ("uplift", "causalml_uplift_forest.py", 0.1),
    "off_policy": ("off_policy", "obp_off_policy.py", 1e-8),
    "off_policy_file": ("off_policy", "obp_off_policy.py", 1e-8),
    "bandit_ucb1": ("bandit", "mabwiser_bandits.py", 1e-12),
    "bandit_linucb": ("bandit", "mabwiser_bandits.py", 1e-12),
    "dml_plr": ("observed", "doubleml_effects.py", 0.05),
    "dml_irm": ("observed", "doubleml_effects.py", 0.05),
    "dml_plr_trees": ("observed", "doubleml_effects.py", 0.05),
    "dml_irm_trees": ("observed", "doubleml_effects.py", 0.1),
    "discontinuity": ("discontinuity", "rdrobust_discontinuity.py", 1e-7),
    "matching": ("matching", "sklearn_matching.py", 1e-7),
    "roll_out": ("roll_out", "csdid_roll_out.py", 1e-6),
    "csv": ("mixed", "pandas_csv.py", 1e-9),
}


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def environment(folder):
    python = folder / "bin" / "python"
    if not python.exists():
        say("making", folder)
        venv.create(folder, with_pip=True)
    installed = subprocess.run([python, "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout.split()
    if not set(PACKAGES) <= set(installed):
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True, stdout=sys.stderr)
    return python


def machine():
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    memory = next(int(l.split()[1]) for l in open("/proc/meminfo") if l.startswith("MemTotal")) / 2**20
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout.strip()
    return (f"{cpu}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GB, {platform.system()} {platform.release()}, {rustc}, "
            f"Python {platform.python_version()}; load average before the run {os.getloadavg()[0]:.2f}; {datetime.date.today()}")


def measured(command, seconds):
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, cwd=ROOT, timeout=seconds)
    except FileNotFoundError:
        say("  there is no", command[0])
        return None
    except subprocess.TimeoutExpired:
        say("  did not finish in", seconds, "s")
        return None
    if done.returncode != 0:
        say(done.stderr.strip()[-2000:])
        return None
    record = json.loads(done.stdout.strip().splitlines()[-1])
    record["wall_median"], record["cpu_median"] = statistics.median(record["wall"]), statistics.median(record["cpu"])
    return record


def agreement(ours, theirs):
    """The largest relative difference of what both found, and None when they report different things."""
    shared = ours["coefficients"].keys() & theirs["coefficients"].keys()
    if not shared:
        return None
    return max(abs(ours["coefficients"][k] - theirs["coefficients"][k]) / max(abs(theirs["coefficients"][k]), 1e-300) for k in shared)


def row(task, ours, theirs, tolerance):
    def cells(r):
        return [f"{r['wall_median']:.2f}", f"{r['cpu_median']:.2f}", f"{r['peak_rss_mb_above_data']:.0f} ({r['peak_rss_mb']:.0f})"] if r else ["–"] * 3

    ratio, same = ["–"] * 4, "–"
    if ours and theirs:
        keys = ("wall_median", "cpu_median", "peak_rss_mb_above_data", "peak_rss_mb")
        ratio = [f"{ours[k] / theirs[k]:.2f}" if theirs[k] > 0 else "–" for k in keys]
        worst = agreement(ours, theirs)
        same = "nothing in common" if worst is None else f"{worst:.0e}" + ("" if worst <= tolerance else " **differs**")
    peer = f"{theirs['peer']} {theirs['version']}" if theirs else "–"
    return "| " + " | ".join([task, peer, *cells(theirs), *cells(ours), *ratio, same]) + " |"


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tasks", default=",".join(TASKS))
    options.add_argument("--repetitions", type=int, default=5)
    options.add_argument("--data", type=pathlib.Path, default=ROOT / "target" / "bench-data")
    options.add_argument("--environment", type=pathlib.Path, default=ROOT / "target" / "peers-env")
    options.add_argument("--timeout", type=float, default=1800, help="seconds for all repetitions of one task; a dash stands for one that took longer")
    given = options.parse_args()
    tasks = given.tasks.split(",")
    if unknown := set(tasks) - TASKS.keys():
        options.error(f"unknown tasks {sorted(unknown)}; known: {', '.join(TASKS)}")

    python = environment(given.environment)
    subprocess.run([python, HERE / "make_data.py", given.data, *sorted({TASKS[t][0] for t in tasks})], check=True)
    subprocess.run(["cargo", "build", "--release", "-p", "cocreate-benches", "--bin", "peers"], check=True, cwd=ROOT)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    described, records = machine(), []
    lines = [
        "| task | peer | peer wall s | CPU s | MB | ours wall s | CPU s | MB | wall ratio | CPU ratio | memory ratio | total memory ratio | agreement |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for task in tasks:
        name, script, tolerance = TASKS[task]
        file = given.data / f"{name}.csv"
        say(task, "peer")
        theirs = script and measured(["Rscript" if script.endswith(".R") else python, HERE / script, task, file, given.repetitions], given.timeout)
        say(task, "ours")
        ours = measured([target / "release" / "peers", task, file, given.repetitions], given.timeout)
        records.append(dict(task=task, ours=ours, theirs=theirs))
        lines.append(row(task, ours, theirs, tolerance))
    text = "\n".join([*lines, "", f"Medians of {given.repetitions} repetitions after a warm-up; CPU is user and system time of all threads; MB is the peak above the data in memory, with the data and the program in parentheses. "
                      f"Ratios are ours over the peer's; a dash: not finished in {given.timeout:.0f} s. {described}.", ""])
    (ROOT / "target").mkdir(exist_ok=True)
    (ROOT / "target" / "peers.md").write_text(text)
    (ROOT / "target" / "peers.json").write_text(json.dumps(dict(machine=described, records=records), indent=1))
    print(text)


if __name__ == "__main__":
    main()
