"""The model on the page: which one runs, how far the next one is, and its card."""

import streamlit as st

from vibecheck.models.live_model import LiveModel, ModelChange
from vibecheck.ui.shared import theme
from vibecheck.vision.classifier import EMBEDDED

MEGABYTE = 1e6
LOOK_EVERY = 2.0  # s


def line(live: LiveModel) -> None:
    """The model that runs, and below it the one that is on its way, kept up to date by themselves."""
    st.fragment(_line, run_every=LOOK_EVERY)(live)


def news(live: LiveModel) -> None:
    """The one that is on its way, on the page itself: seen only where the sidebar is folded."""
    with st.container(key="model-news"):
        st.fragment(_news, run_every=LOOK_EVERY)(live)


def _line(live: LiveModel) -> None:
    theme.quiet(f"Model: {live.manifest.version}. It reads expressions, not feelings.")
    _news(live)
    change = live.change
    if change and change.state.step == "failed":
        theme.quiet(f"{told(change)}; {live.manifest.version} stays.")


def _news(live: LiveModel) -> None:
    change = live.change
    if change and change.state.step != "failed":
        st.progress(change.state.share, text=told(change))


def told(change: ModelChange) -> str:
    """A change in words; of a failure what went wrong, and not what to do: the doctor says that."""
    state = change.state
    match state.step:
        case "failed":
            return state.sentence.partition(":")[0].removesuffix(".")
        case "fetching" if state.total:
            done, total = state.done / MEGABYTE, state.total / MEGABYTE
            return f"Fetching {change.wanted}: {done:.0f} of {total:.0f} MB"
        case "compiling":
            return f"Compiling {change.wanted}"
        case "checking":
            return f"Checking {change.wanted}"
        case "ready":
            return f"Changing to {change.wanted}"
        case _:
            return f"Getting {change.wanted}"


def card(live: LiveModel) -> str:
    """The card of the model that runs, as Markdown, without its title.

    Of a model from elsewhere: where it came from, and what was measured here. Other people's Markdown is
    not put into the page.
    """
    manifest, report = live.manifest, live.report
    if manifest.version == live.embedded:
        return (EMBEDDED / "README.md").read_text(encoding="utf-8").partition("\n")[2]
    told = f"**`{manifest.version}`**: {_plain(manifest.origin or 'nothing is known of where it came from')}."
    if report is None:
        return told
    chosen = next(each for each in report["candidates"] if each["name"] == report["candidate"])
    return (
        f"{told}\n\nOn this machine it runs as {chosen['name']}: {chosen['ms']:.0f} ms a face "
        f"(PyTorch: {report['pytorch_ms']:.0f} ms). On {report['faces']} faces its top mood was the one "
        f"PyTorch gives in {chosen['agreement']:.1%}, and its probabilities differed by "
        f"{chosen['mean_difference']:.2g} on average."
    )


def _plain(text: str) -> str:
    """Text that came with a model, as Markdown shows it letter by letter; addresses stay links."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()<>#|~$!" else letter for letter in text)
