#!/bin/sh
# Runs every example that has a golden file and compares what it prints. With --update, writes the golden files anew.
# Prints the differences and exits with 1 if there are any.
set -u
cd "$(dirname "$0")/.." || exit 1

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failed=0

check() {
    example=$1
    golden=examples/golden/$example.txt
    if ! cargo run --quiet --release --example "$example" >"$scratch/out" 2>"$scratch/err"; then
        echo "$example: failed" >&2
        cat "$scratch/err" >&2
        failed=1
    elif [ "${2:-}" = --update ]; then
        cp "$scratch/out" "$golden"
    elif ! diff -u "$golden" "$scratch/out"; then
        echo "$example: prints something else than $golden" >&2
        failed=1
    fi
}

for golden in examples/golden/*.txt; do
    check "$(basename "$golden" .txt)" "${1:-}"
done
exit $failed
