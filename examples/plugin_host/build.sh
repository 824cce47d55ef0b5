#!/bin/sh
# Builds the host program. It needs the header only, not the library.
# usage: examples/plugin_host/build.sh OUT
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: examples/plugin_host/build.sh OUT}

${CXX:-c++} -std=c++17 -O2 -Wall -Wextra -Wpedantic -Werror ${CXXFLAGS:-} -I"$here/../../include" "$here"/*.cpp -o "$out" -ldl
