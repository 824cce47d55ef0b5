"""The shared library: the one that the wheel carries, or BREGMAN_LIBRARY; loaded once, its version checked."""

from __future__ import annotations

import os
from typing import Any

from bregman import _native

#: cffi's view of include/bregman.h, from which every constant and layout of this package is taken.
ffi: Any = _native.ffi
#: The environment variable names another build of the library, for a distribution's or an engine's own.
lib: Any = ffi.dlopen(os.environ["BREGMAN_LIBRARY"]) if os.environ.get("BREGMAN_LIBRARY") else _native.lib

#: Version of the binary interface that this package was built for.
ABI_VERSION: int = lib.BREGMAN_ABI_VERSION

if lib.bregman_abi_version() != ABI_VERSION:
    raise ImportError(f"bregman: the library has ABI {lib.bregman_abi_version()}, this package needs {ABI_VERSION}")


def text(pointer: Any) -> str:
    """A NUL-terminated text of the library, copied."""
    return str(ffi.string(pointer), "utf-8")


def version() -> str:
    """The version of the library, such as "0.1.0"."""
    return text(lib.bregman_version())


def simd_level() -> str:
    """The instruction set in use: "avx512", "avx2", "neon" or "scalar".

    The environment variable BREGMAN_SIMD, read once, lowers it. If that names no level of this machine, this is ""
    and every sampler's creation raises `UnsupportedError`.
    """
    return text(lib.bregman_simd_level())
