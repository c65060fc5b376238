#!/usr/bin/env python3
"""Fails when an executed notebook has an error, or anything on stderr, or a code cell that was not run: nbconvert does not notice a panic."""

import json
import pathlib
import sys

failed = False
for path in map(pathlib.Path, sys.argv[1:]):
    shown = 0
    for number, cell in enumerate(json.loads(path.read_text())["cells"]):
        if cell["cell_type"] != "code":
            continue
        if cell.get("execution_count") is None:
            failed = True
            print(f"{path}: cell {number} was not run", file=sys.stderr)
        for output in cell["outputs"]:
            text = "".join(output.get("text", [])) or "\n".join(output.get("traceback", []))
            if output["output_type"] == "error" or output.get("name") == "stderr":
                failed = True
                print(f"{path}: cell {number}:\n{text}", file=sys.stderr)
            shown += output["output_type"] in ("display_data", "execute_result")
    print(f"{path}: {shown} values shown")
    if shown == 0:
        failed = True
        print(f"{path} shows nothing", file=sys.stderr)
sys.exit(int(failed))
