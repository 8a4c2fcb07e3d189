"""The theme: text has enough contrast, and a mood's colour is the same everywhere."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.analytics.test_charts import luminance
from vibecheck.analytics import charts
from vibecheck.emotions import EMOTIONS
from vibecheck.ui.shared.server import STYLE
from vibecheck.vision.drawing import INK

CONFIG = tomllib.loads((Path(__file__).parents[3] / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
THEME = CONFIG["theme"]
PAGE, CARD, SIDEBAR = (
    THEME["backgroundColor"],
    THEME["secondaryBackgroundColor"],
    THEME["sidebar"]["backgroundColor"],
)
AA = 4.5  # WCAG 2.2, 1.4.3: contrast of text of any size


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_matches_the_wcag_examples():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("emotion", EMOTIONS, ids=lambda emotion: emotion.name)
def test_mood_colours_have_enough_contrast_as_text_and_as_background(emotion):
    for background in (PAGE, CARD):
        assert contrast(emotion.colour, background) >= AA
    ink = INK if isinstance(INK, str) else "#{:02X}{:02X}{:02X}".format(*INK[:3])
    assert contrast(ink, emotion.colour) >= AA


def test_charts_have_the_colours_of_the_moods_in_their_order():
    assert THEME["chartCategoricalColors"] == [emotion.colour for emotion in EMOTIONS]


@pytest.mark.parametrize("background", [PAGE, CARD, SIDEBAR])
@pytest.mark.parametrize("colour", [THEME["textColor"], THEME["linkColor"], charts.QUIET])
def test_text_colours_have_enough_contrast(colour, background):
    assert contrast(colour, background) >= AA


def test_primary_button_text_has_enough_contrast_also_on_hover():
    rules = re.findall(r"\.stButton button\[kind=\"primary\"\](:hover)? \{([^}]*)\}", STYLE.read_text())
    ink = re.search(r"color: (#\w{6})", rules[0][1])[1]
    hover = re.search(r"background: (#\w{6})", rules[1][1])[1]
    for background in (THEME["primaryColor"], hover):
        assert contrast(ink, background) >= AA
