"""Progress bars."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Bar:
    """A bar in progress."""

    def __init__(self, progress: Progress, task: object) -> None:
        self._progress, self._task = progress, task

    def at(self, done: int) -> None:
        """So much is done."""
        self._progress.update(self._task, completed=done)


@contextmanager
def bar(name: str, total: int) -> Iterator[Bar]:
    """A bar that ends at `total`."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        yield Bar(progress, progress.add_task(name, total=total))
