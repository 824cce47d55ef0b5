"""Exceptions: a class for each status of the library, with the status and the library's message."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

from bregman._library import lib

if TYPE_CHECKING:
    from bregman._batch import Results


class Status(IntEnum):
    """The status that a call of the library returns."""

    OK = lib.BREGMAN_OK
    INVALID_ARGUMENT = lib.BREGMAN_INVALID_ARGUMENT
    INVALID_CHAIN = lib.BREGMAN_INVALID_CHAIN
    INVALID_LOGITS = lib.BREGMAN_INVALID_LOGITS
    EMPTY_SUPPORT = lib.BREGMAN_EMPTY_SUPPORT
    NO_CONVERGENCE = lib.BREGMAN_NO_CONVERGENCE
    BUFFER_TOO_SMALL = lib.BREGMAN_BUFFER_TOO_SMALL
    UNSUPPORTED = lib.BREGMAN_UNSUPPORTED
    INTERNAL = lib.BREGMAN_INTERNAL
    INCOMPLETE = lib.BREGMAN_INCOMPLETE
    OUT_OF_MEMORY = lib.BREGMAN_OUT_OF_MEMORY


class BregmanError(Exception):
    """Base of all errors of this package. A call that failed has changed nothing."""

    #: The library's status.
    status: ClassVar[Status] = Status.INTERNAL
    #: Index of the first row of a batch that failed; None for any other call.
    row: int | None = None
    #: The results of `decode_batch`, in which the rows that did not fail are decoded; None for any other call.
    results: Results | None = None

    @property
    def message(self) -> str:
        """The library's message: the argument, and why it is refused."""
        return str(self.args[0]) if self.args else ""


class InvalidArgumentError(BregmanError, ValueError):
    """An argument is out of its range or of the wrong shape, or the sampler is closed or in use by another call."""

    status = Status.INVALID_ARGUMENT


class InvalidChainError(BregmanError, ValueError):
    """The chain's text does not parse, or a parameter in it is out of its range."""

    status = Status.INVALID_CHAIN


class InvalidLogitsError(BregmanError, ValueError):
    """A logit that may be sampled is NaN or +infinity."""

    status = Status.INVALID_LOGITS


class EmptySupportError(BregmanError, ValueError):
    """Every token is masked or -infinity."""

    status = Status.EMPTY_SUPPORT


class NoConvergenceError(BregmanError, ArithmeticError):
    """A `Generator` led to no solution. If one of its functions raised, that exception is the `__cause__`."""

    status = Status.NO_CONVERGENCE


class BufferTooSmallError(BregmanError):
    """A buffer is too small for the result. This package allocates its buffers itself, so it never raises this."""

    status = Status.BUFFER_TOO_SMALL


class UnsupportedError(BregmanError, RuntimeError):
    """Valid, but not supported with this chain, by this version or on this machine."""

    status = Status.UNSUPPORTED


class InternalError(BregmanError, RuntimeError):
    """A defect of the library; please report it."""

    status = Status.INTERNAL


class IncompleteError(BregmanError, ValueError):
    """A sparse row does not hold what the chain needs."""

    status = Status.INCOMPLETE


class OutOfMemoryError(BregmanError, MemoryError):
    """There was no memory for the call."""

    status = Status.OUT_OF_MEMORY


_CLASSES = {
    cls.status: cls
    for cls in (
        InvalidArgumentError,
        InvalidChainError,
        InvalidLogitsError,
        EmptySupportError,
        NoConvergenceError,
        BufferTooSmallError,
        UnsupportedError,
        InternalError,
        IncompleteError,
        OutOfMemoryError,
    )
}


def error(status: int, message: str) -> BregmanError:
    """The exception for a status that is not OK."""
    try:
        return _CLASSES[Status(status)](message)
    except (ValueError, KeyError):
        return InternalError(f"unknown status {status}: {message}")
