#!/bin/sh
# Fetches the CoreCLR runtime (x86-64 Linux) that the tests use, without an SDK: pinned, and checked against its sha256.
# usage: bindings/csharp/dotnetcore.sh [DIR]        (default: target/dotnetcore)
set -eu

version=3.1.23
sha256=5f076ddc39da0c685e7de20ecb91ee81185928918ec86fbeb3bffc55dd867ab5

root=$(cd "$(dirname "$0")/../.." && pwd)
dir=${1:-$root/target/dotnetcore}
stamp="dotnetcore2 $version $sha256"

fail() {
    echo "bindings/csharp/dotnetcore.sh: $*" >&2
    exit 1
}

is_current() {
    [ -f "$dir/stamp" ] && [ "$(cat "$dir/stamp")" = "$stamp" ]
}

if is_current; then
    exit 0
fi
case $(uname -s)-$(uname -m) in
    Linux-x86_64) ;;
    *) fail "the runtime is for x86-64 Linux, not for $(uname -s) on $(uname -m)" ;;
esac

# If two runs start at once, the second waits here.
mkdir -p "$(dirname "$dir")"
exec 9>"$dir.lock"
flock 9
if is_current; then
    exit 0
fi
# Replaces only a directory that this script made.
if [ -e "$dir" ] && [ ! -f "$dir/stamp" ]; then
    rmdir "$dir" 2>/dev/null || fail "$dir exists and is no runtime that this script fetched"
fi

work=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "dotnetcore2==$version --hash=sha256:$sha256" >"$work/requirements.txt"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes -d "$work" \
    -r "$work/requirements.txt" >&2 || fail "pip could not fetch dotnetcore2 $version"
python3 -m zipfile -e "$work"/*.whl "$work/wheel"
mv "$work/wheel/dotnetcore2/bin" "$work/new"
chmod +x "$work/new/dotnet"
printf '%s\n' "$stamp" >"$work/new/stamp"
if [ -e "$dir" ]; then
    mv "$dir" "$work/old"
fi
mv "$work/new" "$dir"
echo "dotnetcore: fetched version $version into $dir" >&2
