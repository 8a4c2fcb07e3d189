"""python -m finetune …"""

from vibecheck.cli.interrupts import quiet_interrupts

if __name__ == "__main__":
    with quiet_interrupts():
        from finetune.commands import app
        from vibecheck.cli.main import run
    run(app)
