#!/usr/bin/env bash
# Runs the notebooks on a real evcxr kernel and fails on any error or stderr output. With --update, makes the notebooks anew from their examples and
# keeps the outputs. The kernel and Jupyter are installed once, below ${COCREATE_TOOLS:-~/.cache/cocreate-notebooks} (outside the repository: the kernel builds a package of its own there); its build takes about ten minutes of two cores.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
tools=${COCREATE_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/cocreate-notebooks}
mkdir -p "$tools"
tools=$(cd "$tools" && pwd)
version=0.22.0

command -v python3 >/dev/null || { echo "python3 is needed to run notebooks" >&2; exit 1; }
if [ ! -x "$tools/python/bin/jupyter-nbconvert" ]; then
    python3 -m venv "$tools/python" 2>/dev/null || {
        # Debian keeps venv in a package of its own.
        rm -rf "$tools/python"
        (apt-get install -y python3-venv || sudo apt-get install -y python3-venv) >/dev/null
        python3 -m venv "$tools/python"
    }
    "$tools/python/bin/pip" install --quiet nbclient==0.10.2 nbconvert==7.16.6 ipykernel==6.30.1
fi
if [ ! -x "$tools/bin/evcxr_jupyter" ]; then
    CARGO_PROFILE_RELEASE_OPT_LEVEL=2 CARGO_TARGET_DIR="$tools/build" cargo install --locked evcxr_jupyter --version "$version" --root "$tools"
    rm -rf "$tools/build"
fi
export JUPYTER_PATH=$tools/share/jupyter
export EVCXR_TMPDIR=$tools/kernel
export JUPYTER_DATA_DIR=$tools/share/jupyter
# The kernel exports its cells' symbols only from incremental builds.
unset CARGO_INCREMENTAL
# Cells are shared libraries that load the standard library of the toolchain.
export LD_LIBRARY_PATH=$(rustc --print target-libdir)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
mkdir -p "$EVCXR_TMPDIR" "$JUPYTER_PATH"
"$tools/bin/evcxr_jupyter" --install >/dev/null

if [ "${1:-}" = --update ]; then
    python3 examples/notebooks/make.py
else
    python3 examples/notebooks/make.py --check
fi
out=$root/target/notebooks
rm -rf "$out"
mkdir -p "$out"
# One after the other: they share the kernel's compiled dependencies.
for notebook in examples/notebooks/*.ipynb; do
    "$tools/python/bin/jupyter-nbconvert" --to notebook --execute --ExecutePreprocessor.kernel_name=rust \
        --ExecutePreprocessor.startup_timeout=600 --ExecutePreprocessor.timeout=1800 --output-dir "$out" "$notebook"
done
python3 examples/notebooks/judge.py "$out"/*.ipynb
if [ "${1:-}" = --update ]; then
    cp "$out"/*.ipynb examples/notebooks/
fi
