#!/bin/sh
# Checks that SIMD instructions are inlined. Code that is not inlined into the function with the target feature, such as a
# closure, calls each of them as a function, about ten times slower with the same results.
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
    echo "ci/inlined.sh: $library has no symbols" >&2
    exit 1
fi
# Except the detection of features.
if called=$(nm -C "$library" | grep 'core_arch::' | grep -v '_xgetbv$\|__cpuid'); then
    echo "ci/inlined.sh: instructions that are called, not inlined:" >&2
    echo "$called" >&2
    exit 1
fi
echo "no SIMD instruction is called as a function ($functions functions checked)"
