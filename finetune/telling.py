"""Says how far a run is: lines of JSON for a program, a bar and sentences for a person."""

import json
import sys
from typing import Any, TextIO

from tqdm import tqdm

from finetune.data.collect import REASONS
from vibecheck.emotions import NAMES

STAGES = {"head": "Learning (the last layer)", "all": "Learning (all layers)"}


def as_json(event: dict[str, Any], out: TextIO) -> None:
    """Write an event as a line of JSON, at once."""
    rounded = {name: round(v, 5) if isinstance(v, float) else v for name, v in event.items()}
    print(json.dumps(rounded), file=out, flush=True)


class Terminal:
    """Tells a person: sentences on `out`, a bar on standard error while it learns."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._bar: tqdm | None = None

    def __call__(self, event: dict[str, Any]) -> None:
        """Tell one event."""
        match event["event"]:
            case "step":
                self._step(event)
            case "epoch":
                self._step(event)
                self._say(
                    f"{STAGES[event['stage']]}, pass {event['epoch']:g} of {event['of']}: right on "
                    f"{event['accuracy']:.1%} of the validation part"
                )
            case "collected":
                self._say(told(event))
            case "started":
                self._say(
                    f"Training {event['base']} on {event['device']}, at most {event['epochs']} passes. "
                    "Ctrl+C stops it; the same command with the same --out goes on."
                )
            case "blend" if event["chosen"]:
                self._say(f"{event['mix']:.0%} of what was learned is kept.")
            case "exported":
                self.close()
                self._say(f"{event['version']} is compiled and waits as challenger.")
            case "judged":
                self._say(event["reason"])
            case "finished":
                self._say(ending(event))

    def close(self) -> None:
        """Put the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _step(self, event: dict[str, Any]) -> None:
        if self._bar is None:
            shape = "{desc} {percentage:3.0f}%|{bar}| {elapsed}{postfix}"
            self._bar = tqdm(total=1.0, bar_format=shape, leave=False)
        self._bar.set_description_str(STAGES[event["stage"]])
        left = event["minutes_left"]
        self._bar.set_postfix_str("" if left is None else f"{left:.1f} minutes left")
        self._bar.n = event["done"]
        self._bar.refresh()

    def _say(self, sentence: str) -> None:
        tqdm.write(sentence, file=self._out)


def told(event: dict[str, Any]) -> str:
    """What was collected, in sentences."""
    classes = ", ".join(f"{name} {event['by_class'][name]}" for name in NAMES)
    text = (
        f"{event['rows']} labelled pictures ({classes}): {event['train']} to learn from, "
        f"{event['validation']} to choose by, {event['held_out']} held out, of which {event['judging']} may "
        "judge."
    )
    if event["left_out"]:
        left = "; ".join(f"{count} because {REASONS[why]}" for why, count in event["left_out"].items())
        text += f"\nLeft out: {left}."
    if event["unit"] == "visit":
        text += "\nThere are fewer than ten visitors, so visits are kept apart instead of visitors."
    return text


def ending(event: dict[str, Any]) -> str:
    """Where everything is, and what to do next."""
    version = event["version"]
    text = f"The report is {event['html']}." if event["html"] else f"The model is in {event['out']}."
    if event["promoted"]:
        return f"{text}\n{version} is the champion now. python -m vibecheck models rollback undoes it."
    if event["proved"]:
        return f"{text}\nTo make it live: python -m vibecheck models promote {version} --why …"
    return text
