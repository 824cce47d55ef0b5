#!/bin/sh
# Prints what a C program links beside the static library, such as "-lutil -lrt -lpthread -lm -ldl".
# usage: ci/native_libs.sh [RUST_TARGET]
# Rust's own library is all that asks for anything, so an empty crate has the same needs. The C compiler itself adds libc
# and its unwinder, of which a fully static program has another than -lgcc_s.
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
    echo "ci/native_libs.sh: rustc did not say what to link" >&2
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
