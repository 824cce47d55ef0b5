#!/bin/sh
# No kernel may call its instructions: what is not inlined into the function that has the features (a closure, say) calls
# each of them, at some ten times the cost, and no answer shows it.
# usage: ci/inlined.sh [target/release/libbregman.so]
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
library=${1:-$root/target/release/libbregman.so}

if [ $# -eq 0 ] && [ "$(uname -s)" != Linux ]; then
    echo "skipped: ci/inlined.sh reads an ELF library; elsewhere name one"
    exit 0
fi
functions=$(nm -C "$library" | grep -c ' t .*bregman') || functions=0
if [ "$functions" -eq 0 ]; then
    echo "ci/inlined.sh: $library has no symbols to look at" >&2
    exit 1
fi
# Detection itself is no kernel.
if called=$(nm -C "$library" | grep 'core_arch::' | grep -v '_xgetbv$\|__cpuid'); then
    echo "ci/inlined.sh: instructions that are called, not inlined:" >&2
    echo "$called" >&2
    exit 1
fi
echo "no kernel calls an instruction ($functions functions looked at)"
