"""Speaks as the training command does, and does nothing else. What it plays is named by --base."""

import json
import os
import signal
import sys
import time
from pathlib import Path


def say(**event: object) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def main() -> None:
    options = dict(each[2:].partition("=")[::2] for each in sys.argv[1:])
    play, out = options["base"], Path(options["out"])
    sys.stderr.write(f"playing {play}\n")
    out.mkdir(parents=True)
    (out / "faces").write_bytes(b"what is learned from")
    say(event="collected", rows=120, train=80, validation=16, held_out=24, judging=20,
        left_out={"can't tell": 3}, by_class={"happy": 70, "sad": 50}, unit="visitor")  # fmt: skip
    say(event="started", stages=["head", "all"], epochs=4, device="cpu", base=play)
    if play == "fails":
        say(event="failed", error="There are too few labels: 12 of the 50 that it takes.")
        sys.exit(1)
    if play == "crashes":
        raise SystemError("the memory is gone")
    if play == "junk":
        sys.stdout.write('\nnull\n[1]\n{"event": 3}\n{"event": "step", "done": NaN}\n' + "{" * 5000 + "\n")
        sys.stdout.write("x" * 200_000 + "\n")
        sys.stdout.flush()
        sys.stdout.buffer.write(b'\xff\xfe{"event"\n')
        sys.stdout.buffer.flush()
    if play == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if play in ("slow", "stubborn"):
        for number in range(10_000):
            say(event="step", stage="head", epoch=1, of=4, done=number / 10_000, loss=2.0, minutes_left=3.5)
            time.sleep(0.05)
    for epoch in range(1, 5):
        loss = 2 / epoch
        say(event="step", stage="all", epoch=epoch, of=4, done=epoch / 5, loss=loss, minutes_left=1)
        say(event="epoch", stage="all", epoch=epoch, of=4, loss=loss, accuracy=0.5 + epoch / 20,
            balanced_accuracy=0.5, minutes=0.1, minutes_left=0.1)  # fmt: skip
    say(event="blend", mix=0.7, accuracy=0.71)
    say(event="exported", version="tuned-1")
    say(
        event="judged",
        proved=True,
        reason="Proved better.",
        needed=0,
        n=20,
        champion={},
        challenger={},
        p=0.01,
    )
    (out / "report.json").write_text(json.dumps({"proved": True, "pid": os.getpid()}))
    (out / "report.html").write_text("<p>the report</p>")
    say(event="finished", version="tuned-1", out=str(out), report=str(out / "report.json"),
        html=str(out / "report.html"), proved=True, promoted=False)  # fmt: skip


main()
