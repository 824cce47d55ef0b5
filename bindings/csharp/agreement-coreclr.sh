#!/bin/sh
# The C# driver of the cross-language agreement test, on CoreCLR. BREGMAN_LIBRARY: the native library.
# usage: bindings/csharp/agreement-coreclr.sh CASES
set -eu

here=$(cd "$(dirname "$0")" && pwd)
[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || {
    echo "there is no CoreCLR to be had for $(uname -s) on $(uname -m)" >&2
    exit 77
}
command -v mcs >/dev/null || {
    echo "mcs is missing (ci/setup.sh installs what is needed)" >&2
    exit 77
}
"$here/build.sh" coreclr >&2
exec "$here/run.sh" coreclr agreement "$@"
