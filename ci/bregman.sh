#!/bin/sh
# The command line `python -m bregman` of this checkout: builds and installs what it needs, and runs it.
# usage: ci/bregman.sh show|compare|stages|explain ...      e.g. ci/bregman.sh show --chain "top_p(0.9)" --model FILE.gguf --prompt TEXT
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
work=$root/target/python

what=install
for argument in "$@"; do
    case $argument in
        --model | --model=*) what=generate ;;
    esac
done
# What the builds say is of interest only if they fail.
mkdir -p "$work"
"$root/ci/python.sh" $what >"$work/bregman.log" 2>&1 || {
    cat "$work/bregman.log" >&2
    exit 1
}
BREGMAN_GENERATE=$work/generate exec "$work/venv/bin/python" -m bregman "$@"
