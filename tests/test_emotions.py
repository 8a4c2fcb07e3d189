"""The seven moods can be told apart and read, and the labels of published models are understood."""

import dataclasses
import re
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibecheck.emotions import BY_NAME, EMOTIONS, NAMES, SYNONYMS, Distribution, map_labels, name_of
from vibecheck.errors import ModelError, VibeCheckError

WORDS = [*NAMES, *chain(*SYNONYMS.values())]


def test_order_of_the_moods_never_changes():
    """Seven numbers in this order are stored with every prediction: it can never change."""
    assert NAMES == ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    assert tuple(BY_NAME) == NAMES
    assert tuple(BY_NAME.values()) == EMOTIONS


@pytest.mark.parametrize("emotion", EMOTIONS, ids=NAMES)
def test_mood_colours_have_enough_contrast(emotion):
    assert re.fullmatch("#[0-9A-F]{6}", emotion.colour)
    assert emotion.title == emotion.name.capitalize()
    assert len(emotion.emoji) == 1


@pytest.mark.parametrize("field", ["name", "title", "adjective", "emoji", "colour"])
def test_moods_can_be_told_apart(field):
    assert len({getattr(emotion, field) for emotion in EMOTIONS}) == 7


@pytest.mark.parametrize(
    ("sad", "fear", "clear", "headline"),
    [
        (0.60, 0.20, True, "Sad"),
        (0.20, 0.60, True, "Afraid"),
        (0.40, 0.32, True, "Sad"),
        (0.39, 0.20, False, "Hard to tell: sad or afraid?"),
        (0.45, 0.38, False, "Hard to tell: sad or afraid?"),
        (0.38, 0.45, False, "Hard to tell: afraid or sad?"),
    ],
)
def test_a_distribution_says_when_it_is_hard_to_tell(sad, fear, clear, headline):
    shares = [(1 - sad - fear) / 5] * 7
    shares[5], shares[2] = sad, fear
    distribution = Distribution.of(shares)
    assert (distribution.clear, distribution.headline) == (clear, headline)
    assert distribution.confidence == max(distribution.probabilities) == max(sad, fear)


@given(st.lists(st.floats(0.001, 1), min_size=7, max_size=7))
def test_rounding_to_four_decimals_keeps_the_mood(weights):
    read = Distribution.of([weight / sum(weights) for weight in weights])
    shown = read.rounded()
    assert sum(shown.probabilities) == pytest.approx(1, abs=1e-9)
    assert all(share == round(share, 4) for share in shown.probabilities)
    assert np.allclose(shown.probabilities, read.probabilities, atol=4e-4)
    assert shown.rounded() == shown
    if read.confidence - sorted(read.probabilities)[-2] > 0.001:  # as the smoother sees to
        assert shown.mood == read.mood


def test_percentages_match_those_on_the_page():
    shares = [0.345, 0.3, 0.355, 0, 0, 0, 0]
    assert Distribution.of(shares).percent == 36  # JavaScript's Math.round(35.5)
    assert Distribution.of([0.125, 0.875, 0, 0, 0, 0, 0]).percent == 88


def test_moods_are_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        EMOTIONS[0].colour = "#000000"


def test_synonyms_map_to_moods_and_are_no_moods_themselves():
    assert tuple(SYNONYMS) == NAMES
    assert len(WORDS) == len(set(WORDS))
    assert all(word == word.strip().lower() for word in WORDS)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("happy", "happy"),
        ("Happy", "happy"),
        ("  HAPPINESS\n", "happy"),
        ("Contempt", "disgust"),
        ("surprised", "surprise"),
        ("calm", "neutral"),
        ("LABEL_0", None),
        ("happy face", None),
        ("", None),
    ],
)
def test_label_names_map_to_moods_or_none(label, name):
    assert name_of(label) == name


@pytest.mark.parametrize(
    ("labels", "indices"),
    [
        (NAMES, (0, 1, 2, 3, 4, 5, 6)),
        # FER-2013, as trpakov/vit-face-expression and DeepFace write it
        (("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"), (0, 1, 2, 3, 4, 5, 6)),
        (("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"), (0, 1, 2, 3, 5, 6, 4)),
        # dima806/facial_emotions_image_detection
        (("sad", "disgust", "angry", "neutral", "fear", "surprise", "happy"), (5, 1, 0, 4, 2, 6, 3)),
        # RAF-DB
        (
            ("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral"),
            (6, 2, 1, 3, 5, 0, 4),
        ),
        # FER+: eight, contempt goes to disgust
        (
            ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
            (4, 3, 6, 5, 0, 1, 2, 1),
        ),
        # AffectNet, as HSEmotion writes it
        (
            ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise"),
            (0, 1, 1, 2, 3, 4, 5, 6),
        ),
        # RAVDESS, with both calm and neutral
        (
            ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"),
            (4, 4, 3, 5, 0, 2, 1, 6),
        ),
    ],
)
def test_labels_of_published_models_are_mapped(labels, indices):
    assert map_labels(labels) == indices


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([f"LABEL_{i}" for i in range(7)], "labels were not understood: 'LABEL_0', 'LABEL_1'"),
        ([*NAMES, "sarcasm"], "labels were not understood: 'sarcasm'."),
        (["positive", "neutral", "negative"], "labels were not understood: 'positive', 'negative'."),
        ([name for name in NAMES if name != "disgust"], "has no label for disgust."),
        (["happy", "sad", "sadness"], "has no label for angry, disgust, fear, neutral, surprise."),
        ([], "has no label for angry, disgust, fear, happy, neutral, sad, surprise."),
    ],
)
def test_a_model_that_cannot_be_mapped_is_refused_with_the_reason(labels, words):
    with pytest.raises(ModelError) as caught:
        map_labels(labels)
    assert words in str(caught.value)
    assert str(caught.value).endswith(f"VibeCheck needs a model of the seven moods {', '.join(NAMES)}.")
    assert isinstance(caught.value, VibeCheckError)


@given(st.permutations(NAMES), st.lists(st.sampled_from(WORDS), max_size=5), st.booleans())
def test_labels_in_any_order_and_case_with_synonyms_are_mapped(order, more, upper):
    labels = [label.upper() if upper else label for label in [*order, *more]]
    indices = map_labels(labels)
    assert [NAMES[index] for index in indices] == [name_of(label) for label in labels]
    assert sorted(indices[:7]) == list(range(7))


@given(st.lists(st.text(max_size=12), max_size=9))
def test_any_labels_are_mapped_or_refused(labels):
    try:
        indices = map_labels(labels)
    except ModelError:
        return
    assert len(indices) == len(labels)
    assert set(indices) == set(range(7))
