"""All versions of the model: which one runs, what each was trained on, its verdict, and Roll back."""

from html import escape

import streamlit as st

from vibecheck.analytics.words import written
from vibecheck.models.version import PROMOTED, Version
from vibecheck.text.plurals import counted
from vibecheck.ui.fine_tune import verdict
from vibecheck.ui.fine_tune.state import FineTuneState
from vibecheck.ui.shared import comparisons, theme
from vibecheck.ui.shared.presses import once

SHOWN = 8


def show(known: FineTuneState) -> None:
    """The list, newest first, with Roll back to the previous champion."""
    with st.container(key="card-versions"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            theme.section("Versions", "newest first")
            if known.previous:
                champion = known.champion.version
                st.button(
                    f"Roll back to {known.previous.version}",
                    icon=":material/undo:",
                    key=f"ft-rollback-{champion}",  # a second press never rolls back the rollback
                    on_click=once(comparisons.roll_back),
                    args=["", champion],
                )
        for version in known.versions[:SHOWN]:
            _version(known, version)
        if rest := known.versions[SHOWN:]:
            with st.expander(f"{len(rest)} older"):
                for version in rest:
                    _version(known, version)


def _version(known: FineTuneState, version: Version) -> None:
    with st.container(key=f"version-{known.versions.index(version)}"):
        said, button = st.columns([5, 1], vertical_alignment="center")
        with said:
            st.html(_described(version))
        with button:
            key = f"ft-decide-{version.version}"
            if version.undecided and st.button("Decide …", key=key, width="stretch"):
                _dialog(known, version)


def _described(version: Version) -> str:
    badges = [f'<span class="vcf-badge {alias}">{alias}</span>' for alias in version.aliases]
    if version.discarded_at:
        badges.append('<span class="vcf-badge">discarded</span>')
    if version.deleted:
        badges.append(
            f'<span class="vcf-badge warn" title="They were deleted after it was trained">'
            f"trained on {counted(version.deleted, 'picture')} deleted since</span>"
        )
    about = [f"registered {written(version.registered_at)}"]
    if version.trained_on:
        about.append(f"trained on {counted(version.trained_on, 'label')}")
    if version.proof:
        proof = version.proof
        found = f"{proof.challenger / proof.n:.0%} against {proof.champion / proof.n:.0%}" if proof.n else ""
        about.append(": ".join(filter(None, ("proved better" if proof.proved else "not proved", found))))
    promoted = [
        f"{PROMOTED[each.kind]} {written(each.made_at)}: {each.why}" for each in version.promotions[:2]
    ]
    lines = "".join(f'<div class="vcf-about">{escape(line)}</div>' for line in (" · ".join(about), *promoted))
    return f'<div class="vcf-version">{escape(version.version)}{"".join(badges)}</div>{lines}'


@st.dialog("Promote or discard", width="large")
def _dialog(known: FineTuneState, version: Version) -> None:
    made = [run for run in known.runs if (end := run.progress.finished) and end.version == version.version]
    verdict.verdict(known, version, made[0] if made else None)
