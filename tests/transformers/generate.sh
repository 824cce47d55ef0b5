#!/bin/sh
# Regenerates vectors.json from Hugging Face transformers, in the pinned versions, and says whether anything changed.
# usage: tests/transformers/generate.sh
# Several gigabytes go into target/venv: by hand when a version is raised, and not in every run of the tests.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=$root/target/venv
# The versions and hashes of ci/transformers.sh.
requirements=$root/bindings/python/requirements-transformers.txt
transformers=$(sed -n 's/^transformers==\([0-9.]*\).*/\1/p' "$requirements")

[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --require-hashes --only-binary :all: -r "$requirements"
"$venv/bin/python" "$here/generate.py" "$root/target/vectors.json"
# The date alone is no change.
undated() { sed 's/"date": "[^"]*"//' "$1"; }
if [ -e "$here/vectors.json" ] && [ "$(undated "$here/vectors.json")" = "$(undated "$root/target/vectors.json")" ]; then
    echo "vectors.json: as transformers $transformers says"
else
    cp "$root/target/vectors.json" "$here/vectors.json"
    echo "vectors.json: written; look at the difference and commit it"
fi
