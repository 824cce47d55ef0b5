#!/bin/sh
# Asks Hugging Face transformers itself whether tests/transformers/history.json is what its processors say, in pinned versions.
# usage: tests/transformers/history.sh [--write]
# Several gigabytes go into target/venv, so this is run by hand when a version or the cases change, not with every test.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
venv=$root/target/venv
# The versions and hashes of ci/transformers.sh.
requirements=$root/bindings/python/requirements-transformers.txt
transformers=$(sed -n 's/^transformers==\([0-9.]*\).*/\1/p' "$requirements")
vectors=$root/tests/transformers/history.json
new=$root/target/history.json

[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --require-hashes --only-binary :all: -r "$requirements"
"$venv/bin/python" "$root/tests/transformers/generate_history.py" >"$new"

if [ "${1:-}" = --write ]; then
    cp "$new" "$vectors"
    echo "transformers: vectors written; look at the difference and commit it"
    exit 0
fi
# The date alone is no change.
undated() { sed 's/"date": "[^"]*"//' "$1"; }
if [ "$(undated "$new")" != "$(undated "$vectors")" ]; then
    echo "tests/transformers/history.sh: transformers $transformers says otherwise: compare $new with $vectors" >&2
    exit 1
fi
echo "transformers: the vectors are what transformers $transformers says"
