"""python -m vibecheck …"""

from vibecheck.cli.interrupts import quiet_interrupts


def main() -> None:
    """The same as an installed command."""
    with quiet_interrupts():
        from vibecheck.cli.main import app, run
    run(app)


if __name__ == "__main__":
    main()
