#!/bin/sh
# The Rust tests with an instrumented library: unit tests, and calls through the C interface (tests/emulated/sanitized.rs).
# usage: ci/sanitized.sh address            AddressSanitizer, and leaks
#        ci/sanitized.sh threads [FILTER]   ThreadSanitizer, with an instrumented standard library; FILTER takes some tests
# Before they run, faults that are planted in the tests must be reported.
#
# ThreadSanitizer needs the source of the standard library. Where the toolchain has it (rustup component add rust-src), that
# is taken; otherwise Debian's rustc-web with its source and its sanitizer, unpacked into target/: nothing is installed.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
mode=${1:-}
[ $# -eq 0 ] || shift
target=${CARGO_TARGET_DIR:-$root/target}/sanitized
triple=$(rustc -vV | sed -n 's/^host: //p')
mkdir -p "$target"

fail() {
    echo "ci/sanitized.sh: $*" >&2
    exit 1
}

# The Debian package $1 and what it needs by pattern $2: only the first that matches.
needed() {
    apt-cache depends "$1" | sed -n 's/^ *Depends: //p' | grep -m 1 "^$2$" || fail "Debian's $1 does not need any $2"
}

# Debian's compiler with source and sanitizer, in $compiler.
debian() {
    compiler=$target/compiler
    if [ ! -e "$compiler/complete" ]; then
        command -v apt-get >/dev/null || fail "no source of the standard library, and no apt-get: rustup component add rust-src"
        echo "== Debian's compiler, into target/"
        rm -rf "$compiler" "$target/packages"
        mkdir -p "$compiler" "$target/packages"
        [ -n "$(apt-cache policy rustc-web)" ] || apt-get -q update
        libraries=$(needed libstd-rust-web-dev 'libstd-rust-web-[0-9.]*')
        llvm=$(needed "$libraries" 'libllvm[0-9]*')
        (cd "$target/packages" && apt-get -q download rustc-web rust-web-src libstd-rust-web-dev "$libraries" "$llvm" \
            "libclang-rt-${llvm#libllvm}-dev") >"$target/packages.log" 2>&1 || fail "$(tail -n 5 "$target/packages.log")"
        for package in "$target/packages"/*.deb; do
            dpkg -x "$package" "$compiler"
        done
        # Of the source, only the library is needed.
        rm -rf "$compiler"/usr/src/*/compiler "$compiler"/usr/src/*/src "$compiler/usr/share"
        runtime=$(find "$compiler/usr/lib" -name 'libclang_rt.tsan-x86_64.a')
        [ -n "$runtime" ] || fail "no runtime of ThreadSanitizer in Debian's packages"
        # Under the name that rustc links.
        cp "$runtime" "$compiler/usr/lib/rustlib/$triple/lib/librustc-stable_rt.tsan.a"
        rm -rf "$target/packages"
        touch "$compiler/complete"
    fi
    LD_LIBRARY_PATH=$(dirname "$(find "$compiler/usr/lib" -name 'librustc_driver*' | head -n 1)"):$(dirname \
        "$(find "$compiler/usr/lib" -name 'libLLVM-*.so*' | head -n 1)")
    RUSTC=$compiler/usr/bin/rustc
    export LD_LIBRARY_PATH RUSTC
}

# cargo test with the sanitizer; the arguments are its own.
tests() {
    # At the first level: without optimisation, the instrumented kernels need more than the 2 MB of stack of a thread.
    # $build_std is a list of words.
    RUSTC_BOOTSTRAP=1 RUSTFLAGS="$flags" CARGO_PROFILE_TEST_OPT_LEVEL=1 CARGO_PROFILE_TEST_DEBUG=line-tables-only \
        cargo test --quiet --locked -p bregman-emulated --target "$triple" --target-dir "$target/$mode" $build_std "$@"
}

# The planted fault $1 must be reported as $2, with $3 in the stack.
planted() {
    log=$target/$mode-$1.log
    if tests --test sanitized -- --ignored --exact "planted::$1" >"$log" 2>&1; then
        fail "a planted fault was not found: $1"
    fi
    grep -q "$2" "$log" && grep -q "$3" "$log" || fail "$1 was reported as something else: $(tail -n 30 "$log")"
    echo "planted $1: found"
}

case $mode in
    address)
        flags=-Zsanitizer=address
        build_std=
        ASAN_OPTIONS=detect_leaks=1
        export ASAN_OPTIONS
        echo "== AddressSanitizer, with leaks"
        tests --no-run
        planted read_beyond_a_row 'AddressSanitizer: heap-buffer-overflow' 'in bregman::'
        planted leak_of_a_handle 'LeakSanitizer: detected memory leaks' 'bregman_sampler_new'
        # Guard pages find the same without it, and take minutes with it.
        tests --lib --test sanitized -- --skip guard_tests
        ;;
    threads)
        flags=-Zsanitizer=thread
        build_std=-Zbuild-std
        [ -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library" ] || debian
        echo "== ThreadSanitizer, $(${RUSTC:-rustc} --version)"
        tests --test sanitized --no-run
        planted race_in_a_generator 'ThreadSanitizer: data race' 'planted::race_in_a_generator'
        if [ $# -eq 0 ]; then
            tests --lib batch
            set -- callers:: threads:: freed:: sparse:: corners::
        fi
        tests --test sanitized -- "$@"
        ;;
    *) fail "usage: ci/sanitized.sh address | threads [FILTER]..." ;;
esac
