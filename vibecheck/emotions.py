"""The seven moods: order, titles, colours, what seven probabilities say, and other models' names for them.

Seven numbers are in the order of `EMOTIONS` everywhere in VibeCheck.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vibecheck.errors import ModelError


@dataclass(frozen=True, slots=True)
class Emotion:
    """One mood: `name` is stored, the other fields are shown.

    `title` is the label of its class, in charts, tables and buttons; `adjective` is the mood in a sentence.
    """

    name: str
    title: str
    adjective: str
    emoji: str
    colour: str  # "#RRGGBB", readable on the dark page; text on it is dark

    @property
    def headline(self) -> str:
        """The mood on its own: "Afraid"."""
        return self.adjective.capitalize()


EMOTIONS: tuple[Emotion, ...] = (
    Emotion("angry", "Angry", "angry", "😠", "#FF7A6B"),
    Emotion("disgust", "Disgust", "disgusted", "🤢", "#7BD389"),
    Emotion("fear", "Fear", "afraid", "😨", "#B79BFF"),
    Emotion("happy", "Happy", "happy", "😄", "#FFC94D"),
    Emotion("neutral", "Neutral", "neutral", "😐", "#A8B3C7"),
    Emotion("sad", "Sad", "sad", "😢", "#6EA8FF"),
    Emotion("surprise", "Surprise", "surprised", "😮", "#FF8FD0"),
)
NAMES: tuple[str, ...] = tuple(emotion.name for emotion in EMOTIONS)
BY_NAME: dict[str, Emotion] = {emotion.name: emotion for emotion in EMOTIONS}

# Below this probability, or with a smaller lead over the next, the largest of the seven is not clear.
CLEAR_PROBABILITY = 0.40
CLEAR_LEAD = 0.08


@dataclass(frozen=True, slots=True)
class Distribution:
    """Seven probabilities and the mood they show, used by tag, headline, bars and prediction alike.

    `mood` is the largest, `confidence` its probability, `runner_up` the second largest. Unless `clear`, it is
    hard to tell the two apart.
    """

    probabilities: tuple[float, ...]
    mood: str
    confidence: float
    runner_up: str
    clear: bool

    @classmethod
    def of(cls, probabilities: Sequence[float]) -> "Distribution":
        """The distribution with these seven probabilities, in the order of EMOTIONS."""
        first, second = sorted(range(len(NAMES)), key=lambda i: -probabilities[i])[:2]
        confidence = float(probabilities[first])
        lead = confidence - probabilities[second]
        clear = bool(confidence >= CLEAR_PROBABILITY and lead >= CLEAR_LEAD)
        return cls(tuple(map(float, probabilities)), NAMES[first], confidence, NAMES[second], clear)

    def rounded(self) -> "Distribution":
        """Rounded to 4 decimals with a sum of 1, as the page shows it and as it is recorded."""
        shares = [round(share, 4) for share in self.probabilities]
        top = NAMES.index(self.mood)
        shares[top] = round(1 - sum(shares[:top] + shares[top + 1 :]), 4)
        return Distribution.of(shares)

    @property
    def percent(self) -> int:
        """The confidence in percent, rounded as JavaScript does."""
        return math.floor(100 * self.confidence + 0.5)

    @property
    def headline(self) -> str:
        """The mood as a headline says it: "Afraid", or "Hard to tell: sad or afraid?"."""
        mood, other = BY_NAME[self.mood], BY_NAME[self.runner_up]
        return mood.headline if self.clear else f"Hard to tell: {mood.adjective} or {other.adjective}?"


# Labels of published expression models. Contempt is mapped to disgust, the nearest of the seven (both
# express rejection, Rozin et al. 1999); dropping it would distribute its probability over the others.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "angry": ("anger", "annoyed", "mad"),
    "disgust": ("disgusted", "disgusting", "contempt", "contemptuous"),
    "fear": ("fearful", "afraid", "scared"),
    "happy": ("happiness", "joy", "joyful", "smile"),
    "neutral": ("calm", "neutrality", "normal"),
    "sad": ("sadness", "unhappy"),
    "surprise": ("surprised", "surprising", "astonished"),
}


def name_of(label: str) -> str | None:
    """The name in EMOTIONS for a model's `label`, or None if it is not one of the seven."""
    word = label.strip().lower()
    return next((name for name, synonyms in SYNONYMS.items() if word in (name, *synonyms)), None)


def map_labels(labels: Sequence[str]) -> tuple[int, ...]:
    """The index into `EMOTIONS` of each of a model's labels; several labels may share one.

    Raises ModelError that names the labels that were not understood, or the moods that no label stands
    for: a model without a mood could not learn from a correction to it.
    """
    names = [name_of(label) for label in labels]
    needs = f"VibeCheck needs a model of the seven moods {', '.join(NAMES)}."
    if unknown := [repr(label) for label, name in zip(labels, names, strict=True) if name is None]:
        raise ModelError(f"This model's labels were not understood: {', '.join(unknown)}. {needs}")
    if missing := [name for name in NAMES if name not in names]:
        raise ModelError(f"This model has no label for {', '.join(missing)}. {needs}")
    return tuple(NAMES.index(name) for name in names if name is not None)
