"""The look that `.streamlit/config.toml` cannot give: cards, bars, and the colour of each mood.

It knows no records and computes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any, NoReturn

import streamlit as st

from vibecheck.analytics.chart_style import Spec
from vibecheck.emotions import BY_NAME, EMOTIONS
from vibecheck.errors import RecordsError

CARDS = Path(__file__).with_name("cards.css")  # of Dashboard and Fine-tune


def plain(text: str) -> None:
    """A paragraph; `text` is shown as it is, never as markup."""
    _markup(f'<div class="vc-plain">{escape(text)}</div>')


def quiet(text: str) -> None:
    """A line of small, quiet text; `text` is shown as it is, never as markup."""
    _markup(f'<div class="vc-quiet">{escape(text)}</div>')


def intro(title: str, text: str) -> None:
    """The header of a page: its title, and one sentence."""
    st.title(title, anchor=False)
    _markup(f'<div class="vc-intro">{escape(text)}</div>')


def headline(title: str, text: str) -> None:
    """The compact header of a page: its title, and beside it one sentence."""
    st.html(f'<div class="vc-headline"><h1>{escape(title)}</h1><p>{escape(text)}</p></div>')


def literal(text: str) -> str:
    """Text from outside, escaped for Markdown; addresses stay links."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()<>#|~$!" else letter for letter in text)


def linked(text: str, address: str, words: str) -> None:
    """A line of small, quiet text that ends in a link to `address`; `text` is shown as it is."""
    link = f'<a href="{escape(address)}" target="_blank" rel="noopener noreferrer">{escape(words)}</a>'
    _markup(f'<p class="vc-quiet">{escape(text)} {link}</p>')


def looks(mood: str) -> None:
    """The mood that a model read, as a heading in its colour: "Looks afraid"."""
    emotion = BY_NAME[mood]
    _markup(
        '<div class="vc-heading" role="heading" aria-level="2">Looks '
        f'<span style="color:{emotion.colour}">{emotion.adjective}</span> '
        f'<span class="vc-emoji">{emotion.emoji}</span></div>',
    )


def heading(text: str) -> None:
    """A heading of this size without a mood; `text` is shown as it is."""
    _markup(f'<div class="vc-heading" role="heading" aria-level="2">{escape(text)}</div>')


def confidence(mood: str, share: float) -> None:
    """How sure the model was, as words and as a bar in the mood's colour."""
    words = f'<span class="vc-lead"><span>Confidence</span><span>{share:.0%}</span></span>'
    bar = _bar(share, BY_NAME[mood].colour, "Confidence")
    _markup(f'<div class="vc-sure">{words}{bar}</div>')


def bars(mood: str, probabilities: Sequence[float]) -> None:
    """All seven probabilities in their fixed order; that of `mood` stands out."""
    rows = (
        f'<span class="vc-row{" top" if each.name == mood else ""}"><span>{each.title}</span>'
        f'{_bar(share, each.colour, each.title)}<span class="value">{share:.0%}</span></span>'
        for each, share in zip(EMOTIONS, probabilities, strict=True)
    )
    _markup(f'<div class="vc-all">{"".join(rows)}</div>')


def choice(title: str, options: Mapping[Any, str], key: str, **more: Any) -> Any:
    """Draw options as buttons side by side, of which one is always chosen; returns its name.

    `options` are titles by name. Only screen readers say the `title` of them all.
    """
    more |= {"required": True, "format_func": options.get, "label_visibility": "collapsed"}
    return st.segmented_control(title, list(options), key=key, **more)


def section(title: str, note: str = "") -> None:
    """The heading of a card, with a quiet note beside it."""
    noted = f" <span>{escape(note)}</span>" if note else ""
    st.html(f'<h2 class="vcd-title">{escape(title)}{noted}</h2>', width="content")


@contextmanager
def card(name: str, title: str, note: str = "") -> Iterator[None]:
    """A card with a heading, as high as those beside it."""
    with st.container(key=f"card-{name}", height="stretch"):
        section(title, note)
        yield


def chart(spec: Spec, points: Any = None, **options: Any) -> Any:
    """Draw a chart as wide as its container; returns its selection if it has one.

    `points` are its rows (a DataFrame), if they are not in `spec`. Screen readers say the description in it:
    Streamlit's `alt=` would only replace that, with a warning.
    """
    return st.vega_lite_chart(points, spec, theme=None, width="stretch", **options)


def empty(emoji: str, title: str, text: str) -> None:
    """An empty state: why there is nothing to show yet, and the step to take."""
    _markup(
        f'<div class="vc-empty"><span class="vc-emoji">{emoji}</span><b>{escape(title)}</b>'
        f"<span>{escape(text)}</span></div>",
    )


def stop(error: RecordsError) -> NoReturn:
    """Show what is wrong with the records, and end the page."""
    st.error(str(error), icon="⚠️")
    st.stop()


def _markup(html: str) -> None:
    st.markdown(html, unsafe_allow_html=True)


def _bar(share: float, colour: str, name: str) -> str:
    percent = round(share * 100)
    return (
        f'<span class="vc-bar" role="meter" aria-label="{name}" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent}"><i style="width:{share:.1%};background-color:{colour}"></i></span>'
    )
