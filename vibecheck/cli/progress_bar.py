"""The progress bar of commands: on standard error, and only on a terminal."""

import sys

from rich.console import Console
from rich.progress import Progress


def progress_bar(stays: bool = False) -> Progress:
    """A progress bar, to be used in a `with` statement; unless it `stays`, it disappears at the end."""
    return Progress(console=Console(stderr=True), transient=not stays, disable=not sys.stderr.isatty())
