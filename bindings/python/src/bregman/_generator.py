"""Divergences defined in Python: numpy functions as C callbacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

import numpy as np
import numpy.typing as npt

from bregman._library import ffi

#: An element-wise function of a vector of float64. It must not keep its argument, which is read-only.
VectorFunction = Callable[["npt.NDArray[np.float64]"], "npt.ArrayLike"]


class Generator:
    """The generator φ of a Bregman divergence on [0, 1], for chains with `bregman(generator=name, ...)`.

    φ is strictly convex, with φ(0) finite; constants and linear terms do not matter. Every function takes a read-only
    vector of float64 and returns its values at the elements. The functions must be pure: a batch with threads calls
    them from several threads, each call with the interpreter's lock. A sampler keeps its generators alive. A generator
    can be pickled if its functions can.

    Args:
        name: the name in the chain.
        phi: φ(x).
        f: φ'(x), strictly increasing; f(0) may be -inf for the primal and must be finite for the dual.
        f_inverse: the inverse of f, on [f(0), f(1)].
        f_prime: φ''(x), with x φ''(x) nondecreasing: for the dual only.
    """

    __slots__ = ("_arguments", "_error", "_functions", "name")

    def __init__(
        self,
        name: str,
        phi: VectorFunction,
        f: VectorFunction,
        f_inverse: VectorFunction,
        f_prime: VectorFunction | None = None,
    ) -> None:
        """Checks nothing; creating a sampler checks the functions on a grid."""
        self.name = name
        self._arguments = (name, phi, f, f_inverse, f_prime)
        self._error: BaseException | None = None
        self._functions: dict[str, Any] = {"phi": self._callback(phi), "f": self._callback(f)}
        self._functions["f_inverse"] = self._callback(f_inverse)
        self._functions["f_prime"] = ffi.NULL if f_prime is None else self._callback(f_prime)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._arguments

    def _callback(self, function: VectorFunction) -> Any:
        def call(_user: Any, x: Any, out: Any, n: int) -> None:
            if n == 0:
                return
            arguments = np.frombuffer(ffi.buffer(x, n * 8), dtype=np.float64)
            arguments.flags.writeable = False
            values = np.frombuffer(ffi.buffer(out, n * 8), dtype=np.float64)
            try:
                values[:] = function(arguments)
            except BaseException as e:  # no exception may leave a callback; NaN makes the library's call fail
                self._error = e
                values.fill(np.nan)

        return ffi.callback("bregman_vector_fn", call)

    def _take_error(self) -> BaseException | None:
        """The exception that a function has raised since the last call, or None."""
        error, self._error = self._error, None
        return error

    def __repr__(self) -> str:
        return f"Generator({self.name!r})"


def to_c(generators: Sequence[Generator]) -> tuple[Any, list[Any]]:
    """The generators as a C array, and the objects that must stay alive while it is read."""
    array = ffi.new("bregman_generator[]", len(generators))
    names = [ffi.new("char[]", g.name.encode()) for g in generators]
    for c, generator, name in zip(array, generators, names):
        c.struct_size = ffi.sizeof("bregman_generator")
        c.name = name
        for field, function in generator._functions.items():
            setattr(c, field, function)
    return array, names


def first_error(generators: Sequence[Generator]) -> BaseException | None:
    """The first exception that the generators' functions raised in the last call, or None."""
    errors = [e for e in (g._take_error() for g in generators) if e is not None]
    return errors[0] if errors else None
