"""The model on the page: which one runs, progress of the next one, and the model card."""

import re
from collections.abc import Mapping
from typing import Any

import streamlit as st

from vibecheck.models.live_model import LiveModel, ModelChange
from vibecheck.ui.shared import theme
from vibecheck.ui.shared.error_text import without_paths
from vibecheck.vision.classifier import EMBEDDED

MEGABYTE = 1e6
MOST = 0.4  # agreement with the embedded model, below which the page warns
# The rows of the embedded model's card that its summary shows, by their name there: title and unit.
FIGURES = {
    "accuracy": ("Accuracy", "%"),
    "mean recall of the seven": ("Mean recall", "%"),
    "accuracy by FER2013's own labels": ("By FER2013's labels", "%"),
    "expected calibration error (15 bins)": ("Calibration error", " points"),
}
STEPS = {
    "compiling": "Compiling another model",
    "checking": "Checking another model",
    "ready": "Changing to another model",
}
LOOK_EVERY, LOOK_WHILE_IDLE = 2.0, 10.0  # s; each update is a few messages to every open page


def line(live: LiveModel) -> None:
    """The model that runs, and the progress of the next one; updated automatically."""
    st.fragment(_line, run_every=_pace(live))(live)


def news(live: LiveModel) -> None:
    """The progress of the next model, on the page itself: visible only while the sidebar is collapsed."""
    with st.container(key="model-news"):
        st.fragment(_news, run_every=_pace(live))(live)


def _pace(live: LiveModel) -> float:
    return LOOK_EVERY if live.change and live.change.state.step != "failed" else LOOK_WHILE_IDLE


def _line(live: LiveModel) -> None:
    theme.quiet("It reads expressions, not feelings.")
    change = live.change
    with st.expander("Details"):
        theme.quiet(f"Model: {live.manifest.version}.")
        if change and change.state.step == "failed":
            theme.quiet(f"{describe(change)}; {live.manifest.version} stays.")
        elif change:
            theme.quiet(f"Next: {change.wanted}.")
    if warning := disagreement(live.report):
        theme.quiet(warning)
    _news(live)


def _news(live: LiveModel) -> None:
    change = live.change
    if change and change.state.step != "failed":
        st.progress(change.state.share, text=describe(change))


def disagreement(report: Mapping[str, Any] | None) -> str:
    """A warning if the model that runs and the embedded one give different answers to most faces."""
    agreement = (report or {}).get("agreement_with_embedded", 1.0)
    if agreement >= MOST:
        return ""
    return (
        f"This model and the embedded one disagree about most faces (they agree on {agreement:.0%} of the "
        "built-in ones): see Models on the Dashboard."
    )


def describe(change: ModelChange) -> str:
    """A change of model in words, without its name. For a failure: the cause; `doctor` says what to do."""
    state = change.state
    if state.step == "failed":
        return without_paths(state.sentence).partition(":")[0].removesuffix(".")
    if state.step == "fetching" and state.total:
        done, total = state.done / MEGABYTE, state.total / MEGABYTE
        return f"Fetching another model: {done:.0f} of {total:.0f} MB"
    return STEPS.get(state.step, "Getting another model")


def summary(live: LiveModel) -> None:
    """The model in four figures and its weaknesses, with the whole card behind "Details"."""
    if live.manifest.version == live.embedded:
        text = (EMBEDDED / "README.md").read_text(encoding="utf-8").partition("\n")[2]  # without its title
        for column, (title, figure) in zip(st.columns(len(FIGURES)), figures(text), strict=True):
            column.metric(title, figure)
        theme.quiet("Measured on the FER+ test set; its accuracy with users is on the Dashboard.")
        st.markdown(weaknesses(text))
    else:
        text = _measured(live)
        st.markdown("It was not made for VibeCheck: the Dashboard shows its accuracy with users.")
    with st.expander("Details"):
        st.markdown(text)


def figures(text: str) -> list[tuple[str, str]]:
    """The title and value of each of `FIGURES`, from the table in the embedded model's card."""
    found = re.findall(r"^\| (.+?) \|.*\| ([\d.]+) \|$", text, flags=re.MULTILINE)
    rows = dict(reversed(found))  # of rows with the same name, the first
    return [(title, f"{float(rows[name]) * 100:.0f}{unit}") for name, (title, unit) in FIGURES.items()]


def weaknesses(text: str) -> str:
    """The paragraph of the embedded model's card that says where it fails."""
    found = re.search(r"^\*\*Weaknesses\.\*\*.+?(?=\n\n)", text, flags=re.MULTILINE | re.DOTALL)
    return found.group() if found else ""


def _measured(live: LiveModel) -> str:
    """Another model's origin and its measurements on this machine, as Markdown, but not its own Markdown."""
    manifest, report = live.manifest, live.report
    text = f"**`{manifest.version}`**: {theme.literal(manifest.origin or 'its origin is unknown')}."
    if report is None:
        return text
    chosen = next(each for each in report["candidates"] if each["name"] == report["candidate"])
    return (
        f"{text}\n\nOn this machine it runs as {chosen['name']}: {chosen['ms']:.0f} ms a face "
        f"(PyTorch: {report['pytorch_ms']:.0f} ms). On {report['faces']} faces its top mood was the one "
        f"PyTorch gives in {chosen['agreement']:.1%}, and its probabilities differed by "
        f"{chosen['mean_difference']:.2g} on average. {disagreement(report)}"
    ).strip()
