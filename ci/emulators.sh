#!/bin/sh
# Unpacks tools to run the tests on other processors into DIR: QEMU's user emulation, and a compiler and linker for 64-bit
# ARM. They are Debian packages, checked by apt, and not installed: the system does not change.
# usage: ci/emulators.sh [DIR]        (default: target/emulators)
# DIR/qemu-x86_64 and DIR/qemu-aarch64 then run programs; `. DIR/aarch64.sh` makes cargo build and test for ARM.
# The versions are Debian's current ones, because it removes old ones; DIR/stamp lists them. Does nothing if DIR exists.
set -eu

layout=1 # of DIR: raise it when this script unpacks differently

root=$(cd "$(dirname "$0")/.." && pwd)
dir=${1:-$root/target/emulators}

fail() {
    echo "ci/emulators.sh: $*" >&2
    exit 1
}

is_current() {
    [ -f "$dir/stamp" ] && [ "$(head -n 1 "$dir/stamp")" = "layout $layout" ]
}

if is_current; then
    echo "emulators: already in $dir"
    exit 0
fi

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || fail "this is for x86-64 Linux, not for $(uname -s) on $(uname -m)"
for tool in apt-get apt-cache dpkg flock; do
    command -v "$tool" >/dev/null || fail "$tool is missing: this is for Debian"
done

mkdir -p "$(dirname "$dir")"
exec 9>"$dir.lock"
flock 9
if is_current; then
    echo "emulators: already in $dir"
    exit 0
fi
rm -rf "$dir"
mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial" "$dir/packages" "$dir/root"
dir=$(cd "$dir" && pwd)
: >"$dir/state/status"

# A separate state of apt that includes ARM's packages, so that the system needs no foreign architecture.
cat >"$dir/apt.conf" <<EOF
APT::Architecture "amd64";
APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User "root";
Dir::State "$dir/state";
Dir::State::status "$dir/state/status";
Dir::Cache "$dir/cache";
EOF
export APT_CONFIG="$dir/apt.conf"
apt-get -qq update >"$dir/apt.log" 2>&1 || { cat "$dir/apt.log" >&2; fail "apt-get update failed"; }

# The first package that $1 depends on and whose name begins with $2.
needs() {
    name=$(apt-cache show "$1" 2>/dev/null | sed -n '/^Depends:/{s/^Depends: //;s/[,|] */\n/g;p;q}' | sed 's/[ (:].*//' | grep "^$2" | head -n 1)
    [ -n "$name" ] || fail "Debian's $1 needs no $2... here; is this release known?"
    echo "$name"
}

# Debian's Rust package for browsers has a standard library for ARM; the plain one is too old in some releases.
std=$(needs libstd-rust-web-dev:arm64 libstd-rust-web-)
llvm=$(needs "$std:amd64" libllvm)
gcc=$(needs gcc-aarch64-linux-gnu gcc-)
version=$(echo "$gcc" | sed 's/^gcc-\([0-9]*\).*/\1/')
(cd "$dir/packages" && apt-get -qq download rustc-web "$std:amd64" "$std:arm64" libstd-rust-web-dev:amd64 \
    libstd-rust-web-dev:arm64 "$llvm:amd64" gcc-aarch64-linux-gnu "$gcc" "cpp-$version-aarch64-linux-gnu" \
    binutils-aarch64-linux-gnu "libgcc-$version-dev-arm64-cross" libgcc-s1-arm64-cross libc6-dev-arm64-cross \
    libc6-arm64-cross linux-libc-dev-arm64-cross qemu-user-static) >"$dir/apt.log" 2>&1 || {
    cat "$dir/apt.log" >&2
    fail "apt-get download failed"
}
for package in "$dir"/packages/*.deb; do
    dpkg -x "$package" "$dir/root"
done

# Wrappers that find the libraries where they were unpacked.
wrap() {
    printf '#!/bin/sh\n%s\n' "$2" >"$dir/$1"
    chmod +x "$dir/$1"
}
libraries="LD_LIBRARY_PATH=$dir/root/usr/lib/x86_64-linux-gnu"
wrap qemu-x86_64 "exec $dir/root/usr/bin/qemu-x86_64-static \"\$@\""
wrap qemu-aarch64 "exec $dir/root/usr/bin/qemu-aarch64-static -L $dir/root/usr/aarch64-linux-gnu \"\$@\""
wrap aarch64-rustc "$libraries exec $dir/root/usr/bin/rustc \"\$@\""
wrap aarch64-rustdoc "$libraries exec $dir/root/usr/bin/rustdoc \"\$@\""
# A sysroot, because libc.so is a linker script with absolute paths.
wrap aarch64-gcc "$libraries exec $dir/root/usr/bin/aarch64-linux-gnu-gcc --sysroot=$dir/root \"\$@\""
cat >"$dir/aarch64.sh" <<EOF
export RUSTC=$dir/aarch64-rustc RUSTDOC=$dir/aarch64-rustdoc CC_aarch64_unknown_linux_gnu=$dir/aarch64-gcc
export CARGO_BUILD_TARGET=aarch64-unknown-linux-gnu CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$dir/aarch64-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=$dir/qemu-aarch64
EOF
{
    echo "layout $layout"
    ls "$dir/packages"
} >"$dir/stamp.new"
rm -rf "$dir/packages" "$dir/state" "$dir/cache"
mv "$dir/stamp.new" "$dir/stamp"
echo "emulators: $("$dir/aarch64-rustc" --version) for ARM, $("$dir/qemu-x86_64" --version | head -n 1), in $dir"
