"""What the app tells a visitor's page about its own video: one message, a mark, for each frame that was read.

A mark is JSON of a few hundred bytes; the page draws it, so no frame is encoded and sent back. Its fields:

    number         counts up; a press that sends it back is a vibe check of what this mark showed
    probabilities  seven numbers, 4 decimals, in the order of EMOTIONS: smoothed, sum 1. [] without a mood
    mood           name of the largest of them, "" without a mood
    runner_up      name of the second largest, "" without a mood
    clear          false if mood and runner_up are hard to tell apart (see `emotions.Distribution`)
    text, colour   the tag of the face that was read, and its colour as "#RRGGBB"; "" without a mood
    faces          [x, y, width, height] of each face, in shares of the picture that was sent (not mirrored);
                   the first is the one that was read. [] if nobody is seen
    hint           a sentence on how to be read better, or what went wrong; may be ""
    frames_in      frames a second that arrive
    readings       frames a second that are read
    age            seconds from the arrival of the frame to this mark
    keep           seconds for which the mark stays valid if no other follows
    frames         frames a second that the page is asked to send

Everything that shows a mood shows these probabilities: tag, headline and bars, and a vibe check records those
of its moment. `mood`, `runner_up` and `clear` follow from them and are sent so that the page decides nothing.
"""

import json
from collections.abc import Sequence

from vibecheck.emotions import Distribution
from vibecheck.vision.drawing import tag
from vibecheck.vision.faces import Face

# Frames a second that a page is asked to send: at most what its camera gives, at least what a moving box
# needs.
FASTEST, SLOWEST = 15, 5
GOOD = "Good light, and the face is sharp."


def mark(
    number: int,
    distribution: Distribution | None,
    faces: Sequence[Face],
    size: tuple[int, int],
    *,
    hint: str,
    frames_in: float,
    readings: float,
    age: float,
    keep: float,
    frames: int,
) -> str:
    """A mark as JSON; the fields are described above. `size` is the picture's height and width in px."""
    height, width = size
    boxes = ((face.x / width, face.y / height, face.width / width, face.height / height) for face in faces)
    text, colour = tag(distribution) if distribution else ("", "")
    fields = {
        "number": number,
        "probabilities": distribution.probabilities if distribution else (),
        "mood": distribution.mood if distribution else "",
        "runner_up": distribution.runner_up if distribution else "",
        "clear": distribution.clear if distribution else False,
        "text": text,
        "colour": colour,
        "faces": [[round(share, 4) for share in box] for box in boxes],
        "hint": hint,
        "frames_in": round(frames_in, 1),
        "readings": round(readings, 1),
        "age": round(age, 3),
        "keep": round(keep, 2),
        "frames": frames,
    }
    return json.dumps(fields, separators=(",", ":"))


def pace(asked: int, came: float, read: float) -> int:
    """How many frames a second to ask for next. A frame that is not read costs CPU time for nothing.

    `asked` were requested, `came` arrived, `read` were read. If too few are read, a little more than those is
    asked for, since more are read once fewer come; if nearly all are read, one more.
    """
    if read < 0.85 * came:
        return max(SLOWEST, min(asked, int(1.15 * read)))
    if read > 0.95 * came:
        return min(FASTEST, asked + 1)
    return asked
