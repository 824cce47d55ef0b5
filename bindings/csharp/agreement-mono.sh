#!/bin/sh
# The C# driver of the cross-language agreement test, on Mono. BREGMAN_LIBRARY: the native library.
# usage: bindings/csharp/agreement-mono.sh CASES
set -eu

here=$(cd "$(dirname "$0")" && pwd)
command -v mono >/dev/null && command -v mcs >/dev/null || {
    echo "mono and mcs are missing (ci/setup.sh installs what is needed)" >&2
    exit 77
}
"$here/build.sh" mono >&2
exec "$here/run.sh" mono agreement "$@"
