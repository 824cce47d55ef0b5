"""The shared library: the wheel's own, or the one named by BREGMAN_LIBRARY; loaded once, its version checked."""

from __future__ import annotations

import os
from typing import Any

from bregman import _native

#: cffi's declarations, made from include/bregman.h; every constant and layout of this package comes from there.
ffi: Any = _native.ffi
#: BREGMAN_LIBRARY is the path of another build of the library, such as a distribution's or an engine's.
lib: Any = ffi.dlopen(os.environ["BREGMAN_LIBRARY"]) if os.environ.get("BREGMAN_LIBRARY") else _native.lib

#: Version of the binary interface that this package was built for.
ABI_VERSION: int = lib.BREGMAN_ABI_VERSION

if lib.bregman_abi_version() != ABI_VERSION:
    raise ImportError(f"bregman: the library has ABI {lib.bregman_abi_version()}, this package needs {ABI_VERSION}")


def text(pointer: Any) -> str:
    """A copy of the library's NUL-terminated text."""
    return str(ffi.string(pointer), "utf-8")


def version() -> str:
    """The version of the library, such as "0.1.0"."""
    return text(lib.bregman_version())


def simd_level() -> str:
    """The instruction set in use: "avx512", "avx2", "neon" or "scalar".

    The environment variable BREGMAN_SIMD, read once, selects a lower one. If this machine does not have the level that
    it names, this is "" and creating a sampler raises `UnsupportedError`.
    """
    return text(lib.bregman_simd_level())
