#!/bin/sh
# Fetches the headers of several versions of llama.cpp, one directory each: DIR/VERSION/{llama.h,ggml*.h}.
# usage: ci/llama_headers.sh [DIR]        (default: target/llama-headers)
# They are from the Rust package llama-cpp-sys-2, which contains llama.cpp's sources; nothing is built. Versions are pinned,
# and cargo checks each archive against the sha256 below. Does nothing if DIR is current.
set -eu

# The reason for each: struct llama_sampler_i has grown twice since llama_sampler_init was added in 2025-02.
versions='
0.1.103 8b4ae3037b7d9b9fab9fd7905aeb04e214acb300599fa1ee698d6f759ee530f9 six callbacks (2025-05)
0.1.132 2fcb116a1a687f928484bcd257f811e6e0665dcb39b53a122725eca12324cf9e ten, and no const any more (2026-01)
0.1.155 d59ed2a770245cf16526a8643c79872701fc6115556e5d8e675d9248752a1394 twelve, copy_state the last (2026-08)
0.1.161 e9bea77fde41bbc15a278891cd5edd2ba07c5260d162614b41080ba1f100b39b the newest (2026-11)
'

root=$(cd "$(dirname "$0")/.." && pwd)
dir=${1:-$root/target/llama-headers}

fail() {
    echo "ci/llama_headers.sh: $*" >&2
    exit 1
}

is_current() {
    [ -f "$dir/stamp" ] && [ "$(cat "$dir/stamp")" = "$(printf '%s' "$versions")" ] # without the newline at the end
}

# Fetches version $1 with sha256 $2 into $work/new/$1.
fetch() {
    package=$work/$1
    mkdir -p "$package/src" "$work/new/$1"
    touch "$package/src/lib.rs"
    # A package with this dependency only: cargo fetches the sources and runs nothing.
    printf '[package]\nname = "headers"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n[dependencies]\nllama-cpp-sys-2 = "=%s"\n' "$1" \
        >"$package/Cargo.toml"
    (cd "$package" && cargo vendor --quiet vendor) >"$work/cargo.log" 2>&1 || {
        cat "$work/cargo.log" >&2
        fail "cargo could not fetch llama-cpp-sys-2 $1"
    }
    # cargo refuses an archive with another checksum than the lock file's.
    got=$(grep -A3 '^name = "llama-cpp-sys-2"$' "$package/Cargo.lock" | sed -n 's/^checksum = "\(.*\)"$/\1/p')
    [ "$got" = "$2" ] || fail "llama-cpp-sys-2 $1 has sha256 $got, not $2: refusing to use it"
    source=$package/vendor/llama-cpp-sys-2/llama.cpp
    cp "$source/include/llama.h" "$source"/ggml/include/*.h "$work/new/$1/"
}

if is_current; then
    echo "llama.cpp's headers: already in $dir"
    exit 0
fi
for tool in cargo flock; do
    command -v "$tool" >/dev/null || fail "$tool is missing (ci/setup.sh installs what is needed)"
done

# If two runs start at once, the second waits here.
mkdir -p "$(dirname "$dir")"
exec 9>"$dir.lock"
flock 9
if is_current; then
    echo "llama.cpp's headers: already in $dir"
    exit 0
fi
# Replaces only a directory that this script made, so that a wrong DIR deletes no files.
if [ -e "$dir" ] && [ ! -f "$dir/stamp" ]; then
    rmdir "$dir" 2>/dev/null || fail "$dir exists and does not hold headers that this script fetched"
fi

work=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir "$work/new"
echo "$versions" | while read -r version sha256 _; do
    [ -z "$version" ] || fetch "$version" "$sha256"
done
printf '%s' "$versions" >"$work/new/stamp"
if [ -e "$dir" ]; then
    mv "$dir" "$work/old"
fi
mv "$work/new" "$dir"
echo "llama.cpp's headers: fetched $(echo "$versions" | awk 'NF { printf "%s ", $1 }')into $dir"
