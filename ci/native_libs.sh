#!/bin/sh
# Prints the linker flags that the static library needs in a C program, such as "-lutil -lrt -lpthread -lm -ldl".
# usage: ci/native_libs.sh [RUST_TARGET]
# Only Rust's standard library needs any, so they are those of an empty crate. libc and the unwinder are left out: the C
# compiler adds them, and a fully static program has another unwinder than -lgcc_s.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

${RUSTC:-rustc} ${1:+--target "$1"} --crate-name none --crate-type staticlib --print native-static-libs \
    -o "$work/none.a" - </dev/null 2>"$work/said" || {
    cat "$work/said" >&2
    exit 1
}
libs=$(sed -n 's/^note: native-static-libs: //p' "$work/said")
[ -n "$libs" ] || {
    echo "ci/native_libs.sh: rustc did not print the libraries to link" >&2
    exit 1
}
list=
for lib in $libs; do
    case $lib in
        -lgcc_s | -lc) ;;
        *) list="$list $lib" ;;
    esac
done
echo "${list# }"
