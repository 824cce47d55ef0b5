#!/bin/sh
# Installs the library into empty directories, and builds and runs C and C++ programs with it: with pkg-config, with CMake's
# find_package, and with the source tree as part of a CMake project; shared and static.
# usage: ci/install_test.sh
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
"$root/ci/setup.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings='-Wall -Wextra -Wpedantic -Werror'
programs=0

fail() {
    echo "ci/install_test.sh: $*" >&2
    exit 1
}

# Runs a command; prints its output only if it fails.
quiet() {
    "$@" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        fail "failed: $*"
    }
}

# refused MESSAGE COMMAND...: the command must fail with the message.
refused() {
    message=$1
    shift
    ! "$@" >"$work/log" 2>&1 || fail "must fail: $*"
    tr -s '\n ' ' ' <"$work/log" | grep -q "$message" || {
        cat "$work/log" >&2
        fail "must fail because of '$message': $*"
    }
}

# Program $1 must draw the same token as every build; $2 is `bregman` if it must need the shared library, or `static`.
runs() {
    said=$("$1") || fail "$1 does not run"
    [ "${expected:=$said}" = "$said" ] || fail "$1 says '$said', others '$expected'"
    case $said in token\ [0-5],*) ;; *) fail "$1 says '$said'" ;; esac
    needed=$(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(libbregman.*\)\]/\1/p')
    if [ "$2" = static ]; then
        [ -z "$needed" ] || fail "$1 is linked statically and needs $needed"
    else
        [ "$needed" = "$soname" ] || fail "$1 needs '$needed', not $soname"
    fi
    programs=$((programs + 1))
}

# Prints the paths of a tree.
tree() {
    (cd "$1" && find . ! -type d | LC_ALL=C sort)
}

with_pkg_config() {
    export PKG_CONFIG_PATH="$1"
    [ "$(pkg-config --modversion bregman)" = "$version" ] || fail "bregman.pc does not say $version"
    for language in c cpp; do
        compiler="${CC:-cc} -std=c99" source=$root/examples/hello.c
        [ "$language" = c ] || { compiler="${CXX:-c++} -std=c++17" source=$root/tests/install/consumer.cpp; }
        # The compiler, the warnings and the output of pkg-config are lists of words.
        quiet $compiler $warnings "$source" $(pkg-config --cflags --libs bregman) -o "$work/$language-shared"
        LD_LIBRARY_PATH=$(pkg-config --variable=libdir bregman) runs "$work/$language-shared" bregman
        quiet $compiler $warnings "$source" $(pkg-config --cflags --libs bregman) \
            "-Wl,-rpath,$(pkg-config --variable=libdir bregman)" -o "$work/$language-rpath"
        runs "$work/$language-rpath" bregman
        # Everything static, libc included, and only bregman static.
        quiet $compiler $warnings -static "$source" $(pkg-config --cflags --libs --static bregman) -o "$work/$language-static"
        runs "$work/$language-static" static
        libs=$(pkg-config --libs --static bregman | sed 's/-lbregman/-l:libbregman.a/')
        quiet $compiler $warnings "$source" $(pkg-config --cflags bregman) $libs -o "$work/$language-mixed"
        runs "$work/$language-mixed" static
    done
    unset PKG_CONFIG_PATH
}

# configure NAME OPTION...: makes a build tree of tests/install.
configure() {
    build=$work/cmake-$1
    shift
    cmake -S "$root/tests/install" -B "$build" "$@"
}

with_cmake() {
    quiet configure "$@"
    quiet cmake --build "$build" --parallel 2
    for kind in bregman static; do
        runs "$build/c_$kind" $kind
        runs "$build/cpp_$kind" $kind
    done
}

version=$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
soname=libbregman.so.$(sed -n 's/^#define BREGMAN_ABI_VERSION //p' "$root/include/bregman.h")

echo "== into an empty prefix, through DESTDIR, and into a folder for one kind of machine"
export PREFIX="$work/prefix"
quiet "$root/ci/install.sh"
quiet env PREFIX=/usr DESTDIR="$work/stage" "$root/ci/install.sh"
quiet env PREFIX="$work/multi" LIBDIR="$work/multi/lib/x86_64-linux-gnu" INCLUDEDIR="$work/multi/include/bregman-1" "$root/ci/install.sh"
diff -r "$work/prefix" "$work/stage/usr" || fail "the installed files depend on the prefix"
if grep -rlIF "$work" "$work/prefix" "$work/multi"; then
    fail "these files contain the prefix"
fi
tree "$work/prefix" >"$work/installed"
for header in "$root"/include/*; do
    grep -qx "./include/${header##*/}" "$work/installed" || fail "${header##*/} is not installed"
done
foreign=$(nm -D --defined-only "$work/prefix/lib/libbregman.so" | awk '$NF !~ /^bregman_/ { print $NF }')
[ -z "$foreign" ] || fail "exported, but without the prefix bregman_: $foreign"

echo "== the moved tree: pkg-config"
mkdir "$work/elsewhere"
mv "$work/prefix" "$work/elsewhere/moved"
moved=$work/elsewhere/moved
with_pkg_config "$moved/lib/pkgconfig"
with_pkg_config "$work/multi/lib/x86_64-linux-gnu/pkgconfig"

echo "== the moved tree: find_package"
with_cmake package -DBREGMAN_FROM=package -DCMAKE_PREFIX_PATH="$moved"
with_cmake multi -DBREGMAN_FROM=package -DCMAKE_PREFIX_PATH="$work/multi" -DCMAKE_LIBRARY_ARCHITECTURE=x86_64-linux-gnu
for wanted in "$version" "$version;EXACT" "${version%.*}" "${version%.*}...${version%%.*}.99" "COMPONENTS;shared;static"; do
    quiet configure wanted -DBREGMAN_FROM=package -DCMAKE_PREFIX_PATH="$moved" "-DBREGMAN_WANTED=$wanted"
done
unset PREFIX
for wanted in 77.0 "${version%.*}.999" "0.0.1;EXACT" "77.0...78.0"; do
    refused 'version: '"$version" configure wanted -DBREGMAN_FROM=package -DCMAKE_PREFIX_PATH="$moved" "-DBREGMAN_WANTED=$wanted"
done
refused 'no component `python`' configure wanted -DBREGMAN_FROM=package -DCMAKE_PREFIX_PATH="$moved" '-DBREGMAN_WANTED=COMPONENTS;python'

echo "== the source tree in a CMake project"
# Shares cargo's target directory with the builds above; by default it is in the build tree.
cargo_dir=${CARGO_TARGET_DIR:-$root/target}
with_cmake subdirectory -DBREGMAN_FROM=subdirectory -DBREGMAN_SOURCE="$root" -DBREGMAN_CARGO_DIR="$cargo_dir"
[ ! -e "$build/lib" ] || fail "the subproject wrote into the build directory of the project"
with_cmake fetch -DBREGMAN_FROM=fetch -DBREGMAN_SOURCE="$root" -DBREGMAN_CARGO_DIR="$cargo_dir"

echo "== CMake alone installs the same files"
quiet cmake -S "$root" -B "$work/alone" -DBREGMAN_CARGO_DIR="$cargo_dir" -DCMAKE_INSTALL_LIBDIR=lib
quiet cmake --build "$work/alone"
quiet env DESTDIR="$work/alone-stage" cmake --install "$work/alone" --prefix /opt/bregman
diff -r "$moved" "$work/alone-stage/opt/bregman" || fail "CMake installs other files"

echo "== errors, and removal"
refused 'PREFIX must be an absolute path' env PREFIX=relative "$root/ci/install.sh"
refused 'LIBDIR must be below PREFIX' env PREFIX=/usr LIBDIR=/lib "$root/ci/install.sh"
refused 'no libbregman.so in' env PREFIX="$work/none" BREGMAN_LIB_DIR="$root/ci" "$root/ci/install.sh"
refused 'usage: ' "$root/ci/install.sh" --remove
touch "$moved/lib/not-ours.so"
quiet env PREFIX="$moved" "$root/ci/install.sh" --uninstall
quiet env PREFIX="$moved" "$root/ci/install.sh" --uninstall
left=$(tree "$moved")
[ "$left" = ./lib/not-ours.so ] || fail "left after the removal: $left"
[ ! -e "$moved/lib/cmake/bregman" ] || fail "an empty directory is left"

echo "install: $(wc -l <"$work/installed") files installed; $programs programs built against them, each: $expected"
