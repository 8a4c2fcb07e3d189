"""The seven moods: their fixed order, looks, and the names that other models give them.

Everything in VibeCheck that holds seven numbers holds them in the order of `EMOTIONS`.

It knows nothing else of VibeCheck but its errors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from vibecheck.errors import ModelError


@dataclass(frozen=True, slots=True)
class Emotion:
    """One mood: `name` is what is stored, the rest is what people see."""

    name: str
    title: str
    emoji: str
    colour: str  # "#RRGGBB", readable on the dark page; text on it is dark


EMOTIONS: tuple[Emotion, ...] = (
    Emotion("angry", "Angry", "😠", "#FF7A6B"),
    Emotion("disgust", "Disgust", "🤢", "#7BD389"),
    Emotion("fear", "Fear", "😨", "#B79BFF"),
    Emotion("happy", "Happy", "😄", "#FFC94D"),
    Emotion("neutral", "Neutral", "😐", "#A8B3C7"),
    Emotion("sad", "Sad", "😢", "#6EA8FF"),
    Emotion("surprise", "Surprise", "😮", "#FF8FD0"),
)
NAMES: tuple[str, ...] = tuple(emotion.name for emotion in EMOTIONS)
BY_NAME: dict[str, Emotion] = {emotion.name: emotion for emotion in EMOTIONS}

# Names seen in the labels of published expression models. Contempt goes to disgust, the nearest of
# the seven (both are rejection, Rozin et al. 1999); dropping it would hand its share to the others.
SYNONYMS: dict[str, str] = {
    "anger": "angry",
    "annoyed": "angry",
    "mad": "angry",
    "disgusted": "disgust",
    "disgusting": "disgust",
    "contempt": "disgust",
    "contemptuous": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "scared": "fear",
    "happiness": "happy",
    "joy": "happy",
    "joyful": "happy",
    "smile": "happy",
    "calm": "neutral",
    "neutrality": "neutral",
    "normal": "neutral",
    "sadness": "sad",
    "unhappy": "sad",
    "surprised": "surprise",
    "surprising": "surprise",
    "astonished": "surprise",
}


def name_of(label: str) -> str | None:
    """The stored name of a mood that some model calls `label`, or None if it is not one of the seven."""
    word = label.strip().lower()
    if word in BY_NAME:
        return word
    return SYNONYMS.get(word)


def map_labels(labels: Sequence[str]) -> tuple[int, ...]:
    """For each of a model's labels the index into `EMOTIONS`; several labels may share one.

    Raises ModelError with the labels that were not understood, or with the moods the model lacks:
    a correction to a mood that a model cannot say could never be learned from.
    """
    names = [name_of(label) for label in labels]
    unknown = [label for label, name in zip(labels, names, strict=True) if name is None]
    if unknown:
        raise ModelError(
            f"This model's labels were not understood: {', '.join(map(repr, unknown))}. "
            f"VibeCheck needs a model of the seven moods {', '.join(NAMES)}."
        )
    missing = [name for name in NAMES if name not in names]
    if missing:
        raise ModelError(
            f"This model cannot say {', '.join(missing)}. "
            f"VibeCheck needs a model of the seven moods {', '.join(NAMES)}."
        )
    return tuple(NAMES.index(name) for name in names if name is not None)
