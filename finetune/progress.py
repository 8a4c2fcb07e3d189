"""The progress of a run: lines of JSON for programs, a bar and sentences for people."""

import json
import math
from collections.abc import Callable
from typing import Any, TextIO

from tqdm import tqdm

from finetune.data.collect import REASONS
from vibecheck.emotions import NAMES
from vibecheck.text.plurals import counted

Tell = Callable[[dict[str, Any]], None]
STAGES = {"head": "Training (last layer)", "all": "Training (all layers)"}


def as_line(event: dict[str, Any]) -> str:
    """An event as JSON: numbers are rounded to 5 decimals, and null if they are infinite or not a number."""
    return json.dumps({name: _rounded(v) if isinstance(v, float) else v for name, v in event.items()})


def _rounded(value: float) -> float | None:
    return round(value, 5) if math.isfinite(value) else None


class Terminal:
    """Sentences on `out`, and a bar on standard error during training."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._bar: tqdm | None = None

    def __call__(self, event: dict[str, Any]) -> None:
        """Report one event."""
        match event["event"]:
            case "step":
                self._step(event)
            case "epoch":
                self._step(event)
                self._say(
                    f"{STAGES[event['stage']]}, epoch {event['epoch']:g} of {event['of']}: accuracy "
                    f"{event['accuracy']:.1%} on the validation set"
                )
            case "collected":
                self._say(collected_sentences(event))
            case "planned":
                needs = event["estimate"]
                self._say(collected_sentences(event))
                self._say(
                    f"It would train {event['base']} on {event['device']}: at most about "
                    f"{counted(round(needs['minutes']), 'minute')} and {needs['memory_mb'] / 1000:.1f} GB of "
                    f"memory ({needs['available_mb'] / 1000:.1f} GB are free), "
                    f"{needs['disk_mb']:,} MB of disk."
                )
            case "started":
                self._say(
                    f"Training {event['base']} on {event['device']}, at most "
                    f"{counted(event['epochs'], 'epoch')}. Ctrl+C stops it; the same command with --out "
                    f"{event['out']} resumes it."
                )
            case "blend" if event["chosen"]:
                self._say(f"The new weights make up {event['mix']:.0%} of the mix of old and new.")
            case "exported":
                self.close()
                self._say(f"{event['version']} is compiled and waits as challenger.")
            case "judged":
                self._say(event["reason"])
            case "finished":
                self._say(ending_sentences(event))

    def close(self) -> None:
        """Remove the bar."""
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


def collected_sentences(event: dict[str, Any]) -> str:
    """What was collected, in words."""
    classes = ", ".join(f"{name} {event['by_class'][name]}" for name in NAMES)
    text = (
        f"{counted(event['rows'], 'labelled picture')} ({classes}): {event['train']} for training, "
        f"{event['validation']} for validation, {event['held_out']} held out ({event['judging']} may judge)."
    )
    if event["left_out"]:
        left = "; ".join(f"{count} because {REASONS[why]}" for why, count in event["left_out"].items())
        text += f"\nLeft out: {left}."
    if event["unit"] == "visit":
        text += "\nThere are fewer than ten visitors, so visits are split instead of visitors."
    return text


def ending_sentences(event: dict[str, Any]) -> str:
    """Where the results are, and what to do next."""
    version = event["version"]
    text = f"The report is {event['html']}." if event["html"] else f"The model is in {event['out']}."
    if event["promoted"]:
        return f"{text}\n{version} is the champion now. python -m vibecheck models rollback undoes it."
    if event["proved"]:
        return f"{text}\nTo make it live: python -m vibecheck models promote {version} --why …"
    return text
