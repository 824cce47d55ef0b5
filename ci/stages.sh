#!/bin/sh
# The tests of the stages: definitions, engines (llama.cpp live, transformers by vectors), instruction sets, reference page.
# usage: ci/stages.sh        (tests/transformers/generate.sh asks transformers itself again; that takes gigabytes)
set -eu
cd "$(dirname "$0")/.."
ci/setup.sh
exec cargo test --test stages --test reference --test transformers --test pipeline --test levels --test chain --test llama
