"""python -m vibecheck …"""

import signal
from importlib import import_module


def main(commands: str = "vibecheck.cli.main") -> None:
    """Runs the commands of a module; Ctrl-C while it is imported ends the process without a traceback."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    app, run = import_module(commands).app, import_module("vibecheck.cli.main").run
    signal.signal(signal.SIGINT, before)
    run(app)


if __name__ == "__main__":
    main()
