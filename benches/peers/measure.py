"""How a peer is timed: a warm-up, repetitions, wall and CPU seconds (all threads), peak memory above the data; one line of JSON."""

import gc
import json
import time


def _status(line):
    with open("/proc/self/status") as f:
        return next(int(l.split()[1]) for l in f if l.startswith(line)) / 1024


def measure(task, peer, version, once, repetitions=5):
    """`once` does the work and returns {name: number}."""
    found = once()
    wall, cpu, peak = [], [], 0.0
    for _ in range(repetitions):
        gc.collect()
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")  # the peak of resident memory starts again from here
        before = _status("VmRSS:")
        start, cpu_start = time.perf_counter(), time.process_time()
        found = once()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
        peak = max(peak, _status("VmHWM:") - before)
    print(json.dumps(dict(task=task, peer=peer, version=version, wall=wall, cpu=cpu, peak_rss_mb_above_data=peak,
                          coefficients={k: float(v) for k, v in found.items()})))
