"""How a peer is timed: a warm-up, repetitions, wall and CPU seconds (all threads), peak memory; one line of JSON.

Memory above the data is the highest resident memory of warm-up and repetitions less what was resident before the warm-up, because an
allocator that keeps freed pages would hide what later repetitions use. `peak_rss_mb` is the same peak with the data and the program.
"""

import ctypes
import gc
import json
import time


def _status(line):
    with open("/proc/self/status") as f:
        return next(int(l.split()[1]) for l in f if l.startswith(line)) / 1024


def measure(task, peer, version, once, repetitions=5):
    """`once` does the work and returns {name: number}."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what reading the data left behind is not the data
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")  # the peak of resident memory starts again from here
    before = _status("VmRSS:")
    found = once()
    wall, cpu = [], []
    for _ in range(repetitions):
        gc.collect()
        start, cpu_start = time.perf_counter(), time.process_time()
        found = once()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
    peak = _status("VmHWM:")
    print(json.dumps(dict(task=task, peer=peer, version=version, wall=wall, cpu=cpu, peak_rss_mb=peak, peak_rss_mb_above_data=peak - before,
                          coefficients={k: float(v) for k, v in found.items()})))
