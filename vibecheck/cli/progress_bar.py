"""The progress bar of commands: on standard error, and only on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from vibecheck.cli.printable import printable


def progress_bar(stays: bool = False) -> Progress:
    """A progress bar, to be used in a `with` statement; unless it `stays`, it disappears at the end."""
    return Progress(console=Console(stderr=True), transient=not stays, disable=not sys.stderr.isatty())


@contextmanager
def counting(what: str, total: float | None) -> Iterator[Callable[[float], None]]:
    """Shows one progress bar; yields the function that advances it."""
    with progress_bar() as progress:
        task = progress.add_task(escape(printable(what)), total=total)
        yield lambda step: progress.advance(task, step)
