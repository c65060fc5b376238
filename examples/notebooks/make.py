#!/usr/bin/env python3
"""Makes the notebooks from the examples of the same name, or checks that they are in step.

    python3 examples/notebooks/make.py            writes the notebooks without outputs
    python3 examples/notebooks/make.py --check    fails when a notebook's cells differ from its example

A comment `// %% text` in the example's `main` begins a cell: the text becomes a markdown cell, the lines up to the next one a code cell. Where the
example prints a value last, `println!("{value}\\n");`, the notebook ends with the value, so that it shows itself. What follows a
comment `// In a program` is left out.
"""

import json
import pathlib
import re
import sys
import textwrap

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = HERE.parent
FIRST = ':cache 500\n:dep cocreate = { path = "../.." }\nuse cocreate::prelude::*;'


def cells(example):
    """(kind, source) of every cell."""
    text = example.read_text()
    title = re.search(r"^//! (.*)$", text, re.M).group(1).rstrip(".")
    body = text[text.index("fn main()"):]
    body = body[body.index("\n") + 1:body.rindex("    Ok(())")]
    out = [("markdown", f"# {title}\n\nOnce, on a machine with Rust: `cargo install --locked evcxr_jupyter && evcxr_jupyter --install`. The first cell compiles the "
                        "library, which takes a minute or two; the others take about a second."), ("code", FIRST)]
    for part in re.split(r"^    // %% ", body, flags=re.M)[1:]:
        heading, _, code = part.partition("\n")
        code = textwrap.dedent(code).split("// In a program")[0].strip()
        code = re.sub(r'println!\("\{(\w+)\}(?:\\n)?"\);$', r"\1", code)
        out += [("markdown", heading), ("code", code)]
    return out


def lines(source):
    return source.splitlines(keepends=True)


def notebook(example):
    made = []
    for number, (kind, source) in enumerate(cells(example)):
        cell = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": lines(source)}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        made.append(cell)
    kernel = {"display_name": "Rust", "language": "rust", "name": "rust"}
    return {"cells": made, "metadata": {"kernelspec": kernel, "language_info": {"name": "rust", "file_extension": ".rs"}}, "nbformat": 4, "nbformat_minor": 5}


def main():
    check = "--check" in sys.argv[1:]
    failed = False
    for name in ["quickstart", "can_they", "design_to_decision", "whom_to_invite", "should_we_teach", "peeking", "rolled_out"]:
        path = HERE / f"{name}.ipynb"
        made = notebook(EXAMPLES / f"{name}.rs")
        if not check:
            path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")
            print(path)
            continue
        kept = json.loads(path.read_text())
        if [(c["cell_type"], c["source"]) for c in kept["cells"]] != [(c["cell_type"], c["source"]) for c in made["cells"]]:
            print(f"{path} is not in step with its example: run examples/notebooks/run.sh --update", file=sys.stderr)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
