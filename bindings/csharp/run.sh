#!/bin/sh
# Runs a program that build.sh made, with the native library in BREGMAN_LIBRARY (default: that of target/release).
# usage: bindings/csharp/run.sh mono|coreclr PROGRAM [ARGUMENT...]
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
runtime=$1
program=$root/target/csharp/$runtime/$2.exe
shift 2
library=${BREGMAN_LIBRARY:-$root/target/release/libbregman.so}
[ -f "$library" ] || {
    echo "bindings/csharp/run.sh: there is no $library (cargo build --release makes it)" >&2
    exit 1
}

if [ "$runtime" = coreclr ]; then
    BREGMAN_LIBRARY=$library exec "$root/target/dotnetcore/dotnet" "$program" "$@"
fi
# Mono has no resolver: the library must have its usual name in a directory.
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
ln -s "$(realpath "$library")" "$directory/libbregman.so"
LD_LIBRARY_PATH=$directory${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} mono "$program" "$@"
