"""The progress bar of commands: on standard error, and only on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from vibecheck.cli.printable import printable


def progress_bar(stays: bool = False, shown: bool = True) -> Progress:
    """A progress bar, to be used in a `with` statement; unless it `stays`, it disappears at the end."""
    disable = not (shown and sys.stderr.isatty())
    return Progress(console=Console(stderr=True), transient=not stays, disable=disable)


@contextmanager
def counting(what: str, total: float | None, prints: bool = False) -> Iterator[Callable[[float], None]]:
    """Show a progress bar, unless the block `prints` to the terminal; yields what advances it."""
    with progress_bar(shown=not (prints and sys.stdout.isatty())) as progress:
        task = progress.add_task(escape(printable(what)), total=total)
        yield lambda step: progress.advance(task, step)
