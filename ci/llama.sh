#!/bin/sh
# Fetches a prebuilt llama.cpp (x86-64 Linux, CPU): its libraries into DIR/lib, its headers into DIR/include.
# usage: ci/llama.sh [DIR]        (default: target/llama)
# The version is pinned, and every archive is checked against its sha256. Does nothing if DIR has this version.
set -eu

version=3.22.1
binaries=@node-llama-cpp/linux-x64 # libllama, libggml and one libggml-cpu for each kind of processor
binaries_sha256=0d953e1503d5ab4608d8ed5b739132308c81ac05ffeb760d2a7f30e08a9f90e0
sources=node-llama-cpp # holds the source tree of the same release as a git bundle
sources_sha256=a0d9dd80eacd2ab1cfe71aee57ac8a806487fd70b3d2a38fbec637752d9e5c5f
layout=1 # of DIR: raise it when this script unpacks differently

root=$(cd "$(dirname "$0")/.." && pwd)
dir=${1:-$root/target/llama}
stamp="$binaries $version $binaries_sha256
$sources $version $sources_sha256
layout $layout"

fail() {
    echo "ci/llama.sh: $*" >&2
    exit 1
}

is_current() {
    [ -f "$dir/stamp" ] && [ "$(cat "$dir/stamp")" = "$stamp" ]
}

say_current() {
    echo "llama.cpp: already in $dir ($binaries $version)"
}

# Fetches package $1 at the pinned version, checks its sha256 $2, and writes it to $work/$3.tgz.
fetch() {
    mkdir "$work/$3"
    (cd "$work/$3" && npm pack --silent "$1@$version") >"$work/npm.log" 2>&1 || {
        cat "$work/npm.log" >&2
        fail "npm could not fetch $1@$version"
    }
    mv "$work/$3"/*.tgz "$work/$3.tgz"
    got=$(sha256sum "$work/$3.tgz" | cut -d' ' -f1)
    [ "$got" = "$2" ] || fail "$1@$version has sha256 $got, not $2: refusing to use it"
}

if is_current; then
    say_current
    exit 0
fi

case $(uname -s)-$(uname -m) in
    Linux-x86_64) ;;
    *) fail "the prebuilt libraries are for x86-64 Linux, not for $(uname -s) on $(uname -m)" ;;
esac
for tool in npm git sha256sum flock; do
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
    rmdir "$dir" 2>/dev/null || fail "$dir exists and is not a llama.cpp that this script fetched"
fi

# Works in a directory beside DIR, and renames it at the end, so that DIR is never incomplete.
work=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fetch "$binaries" "$binaries_sha256" binaries
fetch "$sources" "$sources_sha256" sources

new=$work/new
mkdir -p "$new/lib" "$new/include"
tar -xzf "$work/binaries.tgz" -C "$work/binaries"
mv "$work"/binaries/package/bins/linux-x64/*.so "$new/lib/"
# The file names contain the release; with these links -lllama and -lggml work for any.
for name in llama ggml; do
    (cd "$new/lib" && ln -s "lib$name".v*.so "lib$name.so")
done

tar -xzf "$work/sources.tgz" -C "$work/sources" package/llama/gitRelease.bundle
git clone --quiet --bare "$work/sources/package/llama/gitRelease.bundle" "$work/llama.git" 2>"$work/git.log" || {
    cat "$work/git.log" >&2
    fail "the source bundle cannot be read"
}
git --git-dir="$work/llama.git" archive HEAD LICENSE include ggml/include | tar -xf - -C "$work"
mv "$work"/include/llama.h "$work"/ggml/include/*.h "$new/include/"
mv "$work/LICENSE" "$new/"
printf '%s\n' "$stamp" >"$new/stamp"

if [ -e "$dir" ]; then
    mv "$dir" "$work/old"
fi
mv "$new" "$dir"
echo "llama.cpp: fetched $binaries $version into $dir"
