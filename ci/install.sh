#!/bin/sh
# Installs the library for C and C++: shared and static, headers, bregman.pc for pkg-config, a CMake package.
# usage: [PREFIX=/usr/local] [DESTDIR=] [LIBDIR=PREFIX/lib] [INCLUDEDIR=PREFIX/include] ci/install.sh [--uninstall]
# Builds with cargo first (for CARGO_BUILD_TARGET, if it is set), unless BREGMAN_LIB_DIR has the libraries. The installed
# tree may be moved. --uninstall removes it.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
prefix=${PREFIX:-/usr/local}
libdir=${LIBDIR:-$prefix/lib}
includedir=${INCLUDEDIR:-$prefix/include}
destdir=${DESTDIR:-}

fail() {
    echo "ci/install.sh: $*" >&2
    exit 1
}

# The path $2 relative to the prefix; $1 is its name in an error.
below_prefix() {
    case $2 in
        "${prefix%/}"/?*) echo "${2#"${prefix%/}"/}" ;;
        *) fail "$1 must be below PREFIX ($prefix), got $2" ;;
    esac
}

# The path from a directory below the prefix up to the prefix: ../.. for lib/pkgconfig.
up() {
    echo "$1" | sed 's|[^/]\{1,\}|..|g'
}

# `version = "..."` in section [$1] of Cargo.toml.
version_in() {
    sed -n "/^\[$1\]/,/^\[/s/^version = \"\([^\"]*\)\".*/\1/p" "$root/Cargo.toml"
}

# The installed files, without DESTDIR, one per line.
installed() {
    echo "$libdir/libbregman.a"
    echo "$libdir/libbregman.so"
    echo "$libdir/$soname"
    echo "$libdir/$real"
    echo "$libdir/pkgconfig/bregman.pc"
    echo "$libdir/cmake/bregman/bregmanConfig.cmake"
    echo "$libdir/cmake/bregman/bregmanConfigVersion.cmake"
    for header in "$root"/include/*.h "$root"/include/*.hpp; do
        [ ! -e "$header" ] || echo "$includedir/${header##*/}"
    done
    for licence in "$root"/LICENSE-*; do
        echo "$prefix/share/doc/bregman/${licence##*/}"
    done
}

uninstall() {
    installed | while read -r path; do
        rm -f "$destdir$path"
    done
    for dir in "$libdir/cmake/bregman" "$prefix/share/doc/bregman"; do
        [ ! -d "$destdir$dir" ] || rmdir --ignore-fail-on-non-empty "$destdir$dir"
    done
    echo "bregman $version: removed from $destdir$prefix"
}

build() {
    (cd "$root" && cargo build --release --lib)
    lib=${CARGO_TARGET_DIR:-$root/target}/${CARGO_BUILD_TARGET:+$CARGO_BUILD_TARGET/}release
}

# Prints the template $1 with its @NAMES@ replaced.
fill() {
    sed -e "s|@VERSION@|$version|g" -e "s|@ABI_FILE@|$real|g" -e "s|@SONAME@|$soname|g" -e "s|@LIBDIR@|$lib_below|g" \
        -e "s|@INCLUDEDIR@|$include_below|g" -e "s|@UP_FROM_PC@|$(up "$lib_below/pkgconfig")|g" \
        -e "s|@UP_FROM_CMAKE@|$(up "$lib_below/cmake/bregman")|g" -e "s|@NATIVE_LIBS@|$native|g" \
        -e "s|@NATIVE_LIST@|$(echo "$native" | tr ' ' ';')|g" -e "s|@POINTER@|$pointer|g" "$1"
}

install_all() {
    for file in libbregman.so libbregman.a; do
        [ -f "$lib/$file" ] || fail "no $file in $lib"
    done
    readelf -d "$lib/libbregman.so" | grep -q "(SONAME).*\[$soname\]" ||
        fail "the SONAME of $lib/libbregman.so is not $soname: Cargo.toml and build.rs differ"
    case $(readelf -h "$lib/libbregman.so") in
        *ELF64*) pointer=8 ;;
        *) pointer=4 ;;
    esac
    native=$("$root/ci/native_libs.sh" ${CARGO_BUILD_TARGET:+"$CARGO_BUILD_TARGET"})
    config=$destdir$libdir/cmake/bregman

    mkdir -p "$destdir$libdir/pkgconfig" "$config" "$destdir$includedir" "$destdir$prefix/share/doc/bregman"
    install -m 644 "$lib/libbregman.a" "$destdir$libdir/libbregman.a"
    install -m 755 "$lib/libbregman.so" "$destdir$libdir/$real"
    ln -sf "$real" "$destdir$libdir/$soname"
    ln -sf "$soname" "$destdir$libdir/libbregman.so"
    for header in "$root"/include/*.h "$root"/include/*.hpp; do
        [ ! -e "$header" ] || install -m 644 "$header" "$destdir$includedir/"
    done
    install -m 644 "$root"/LICENSE-* "$destdir$prefix/share/doc/bregman/"
    fill "$root/cmake/bregman.pc.in" >"$destdir$libdir/pkgconfig/bregman.pc"
    for template in bregmanConfig.cmake bregmanConfigVersion.cmake; do
        fill "$root/cmake/$template.in" >"$config/$template"
    done
    installed | while read -r path; do
        [ -e "$destdir$path" ] || fail "$destdir$path was not installed"
    done
    echo "bregman $version: installed in $destdir$prefix"
}

[ "$(uname -s)" = Linux ] || fail "this script supports Linux only; use cargo-c (cargo cinstall) elsewhere"
case $prefix in
    /*) ;;
    *) fail "PREFIX must be an absolute path, got $prefix" ;;
esac
lib_below=$(below_prefix LIBDIR "$libdir")
include_below=$(below_prefix INCLUDEDIR "$includedir")
version=$(version_in package)
# The version of the ABI; its first number is in the SONAME.
abi=$(version_in package.metadata.capi.library)
real=libbregman.so.$abi
soname=libbregman.so.${abi%%.*}

case ${1:-} in
    --uninstall) uninstall ;;
    '')
        lib=${BREGMAN_LIB_DIR:-}
        [ -n "$lib" ] || build
        install_all
        ;;
    *) fail "usage: ci/install.sh [--uninstall]" ;;
esac
