#!/bin/sh
# Runs the unit tests, the whole-pipeline comparison and the golden vectors on every instruction set: natively, on x86
# processors without AVX and with AVX2 only, and on 64-bit ARM, these three under QEMU. Each run asserts its level, and the
# results on all processors must be the same bit for bit.
# usage: ci/levels.sh [native|nehalem|qemu64|haswell|aarch64]...        (default: all)
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

emulators=$root/target/emulators
digests=$root/target/levels
mkdir -p "$digests"

# Runs the tests on processor $1, which must have the levels $2; the other arguments are cargo's environment.
check() {
    name=$1 expect=$2
    shift 2
    echo "== $name: ${expect:-what the processor has}"
    rm -f "$digests/$name"
    env ${expect:+"BREGMAN_EXPECT=$expect"} "BREGMAN_DIGESTS=$digests/$name" "$@" \
        cargo test --quiet --locked -p bregman-emulated -- --nocapture
    [ -s "$digests/$name" ] || {
        echo "ci/levels.sh: $name left no digests" >&2
        exit 1
    }
    cmp "$digests/$first" "$digests/$name" || {
        diff "$digests/$first" "$digests/$name" >&2 || true
        echo "ci/levels.sh: $first and $name have different results" >&2
        exit 1
    }
}

emulated_x86() {
    check "$1" "$2" "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER=$emulators/qemu-x86_64 -cpu $3"
}

# Without QEMU's warnings about features that it does not emulate.
haswell=Haswell-v4,-pcid,-x2apic,-tsc-deadline,-invpcid,-spec-ctrl
compared=
[ $# -gt 0 ] || set -- native nehalem haswell aarch64
if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
    [ -z "${CI:-}" ] || {
        echo "ci/levels.sh: CI needs x86-64 Linux for this" >&2
        exit 1
    }
    echo "skipped: emulated processors: the emulators are for x86-64 Linux"
    set -- native
fi
[ "$*" = native ] || ci/emulators.sh
first=$1 # what all others are held against
for processor in "$@"; do
    case $processor in
        native) check native "" ;;
        nehalem) emulated_x86 nehalem "x86_64 scalar" Nehalem ;;
        qemu64) emulated_x86 qemu64 "x86_64 scalar" qemu64 ;;
        haswell) emulated_x86 haswell "x86_64 scalar avx2" "$haswell" ;;
        aarch64) (
            . "$emulators/aarch64.sh"
            check aarch64 "aarch64 scalar neon"
        ) ;;
        *)
            echo "ci/levels.sh: no processor $processor" >&2
            exit 1
            ;;
    esac
    compared="$compared $processor"
done
echo "the same results, bit for bit:$compared"
