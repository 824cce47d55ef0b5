#!/bin/sh
# Installs the missing tools of the tests, or of the demo only, other than Rust, with apt-get on a Debian machine.
# usage: ci/setup.sh [demo | demo-real]
set -eu

# What to look for (a command, a file if it begins with /, a module after python:) and its Debian package.
demo='
cc                                  gcc
git                                 git
npm                                 npm
flock                               util-linux
readelf                             binutils
/etc/ssl/certs/ca-certificates.crt  ca-certificates
'
# To fetch a real model (ci/models.sh).
models='
python3                             python3
pip3                                python3-pip
'
tests='
g++                                 g++
make                                make
valgrind                            valgrind
python:ensurepip                    python3-venv
pkg-config                          pkg-config
cmake                               cmake
abidiff                             abigail-tools
mcs                                 mono-mcs
mono                                mono-runtime
'

fail() {
    echo "ci/setup.sh: $*" >&2
    exit 1
}

case ${1:-} in
    '') needs=$demo$models$tests ;;
    demo) needs=$demo ;;
    demo-real) needs=$demo$models ;;
    *) fail "usage: ci/setup.sh [demo | demo-real]" ;;
esac
command -v cargo >/dev/null || fail "cargo is missing: install Rust first (its own installer, or Debian's rustup or cargo package)"

missing=$(echo "$needs" | while read -r probe package; do
    case $probe in
        '') ;;
        /*) [ -e "$probe" ] || printf ' %s' "$package" ;;
        python:*) python3 -c "import ${probe#python:}" 2>/dev/null || printf ' %s' "$package" ;;
        *) command -v "$probe" >/dev/null || printf ' %s' "$package" ;;
    esac
done)
if [ -z "$missing" ]; then
    echo "setup: nothing to install"
    exit 0
fi

command -v apt-get >/dev/null || fail "no apt-get here; please install:$missing"
sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "neither root nor sudo; please install:$missing"
    sudo=sudo
fi
echo "setup: installing$missing"
$sudo apt-get -q update || fail "apt-get update failed"
# $missing is a list of words. `env`, because sudo clears the environment.
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $missing || fail "apt-get could not install:$missing"
