"""The bins of a prediction's numbers, so that the database can count them.

Their edges are the thresholds of `FaceQuality.hints`. Changing an edge needs a migration, if only an
empty one: the summaries are then counted anew.
"""

from dataclasses import dataclass

# The bins of the expected calibration error (Guo et al. 2017).
CONFIDENCE_BINS = 15
# They are too fine to compare as slices, so slices merge three of them.
MERGED = 3


@dataclass(frozen=True, slots=True)
class Signal:
    """A number of a prediction: its column, title, and bins from low to high.

    A value equal to an edge belongs to the bin above it. The sign of an `absolute` signal is dropped. This
    many bins as `merged` make one slice.
    """

    column: str
    title: str
    edges: tuple[float, ...]
    names: tuple[str, ...]
    absolute: bool = False
    merged: int = 1

    @property
    def groups(self) -> list[tuple[str, range]]:
        """The slices by their name: the bins of each."""
        if self.merged == 1:
            return [(name, range(index, index + 1)) for index, name in enumerate(self.names)]
        starts = range(0, len(self.names), self.merged)
        size = len(self.names)
        return [
            (f"{self.title} {at / size:.0%} to {(at + self.merged) / size:.0%}", range(at, at + self.merged))
            for at in starts
        ]


CONFIDENCE = Signal(
    "confidence",
    "Confidence",
    tuple(edge / CONFIDENCE_BINS for edge in range(1, CONFIDENCE_BINS)),
    tuple(
        f"{low / CONFIDENCE_BINS:.0%} to {(low + 1) / CONFIDENCE_BINS:.0%}" for low in range(CONFIDENCE_BINS)
    ),
    merged=MERGED,
)
LIGHT = Signal(
    "light",
    "Light",
    (60, 100, 215),
    ("Dark (under 60)", "Dim (60 to 100)", "Good light", "Bright (over 215)"),
)
BLUR = Signal("blur", "Sharpness", (25, 100), ("Blurred (under 25)", "Soft (25 to 100)", "Sharp"))
SIZE = Signal("size", "Face size", (64, 128), ("Face under 64 px", "Face 64 to 128 px", "Face over 128 px"))
YAW = Signal("yaw", "Turn", (10, 25), ("Facing the camera", "Turned 10 to 25°", "Turned over 25°"), True)

QUALITY: tuple[Signal, ...] = (LIGHT, BLUR, SIZE, YAW)
SIGNALS: tuple[Signal, ...] = (CONFIDENCE, *QUALITY)
