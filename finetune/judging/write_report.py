"""Writes the report of a comparison for programs (`report.json`) and for people (`report.html`).

The page is one file without scripts or external resources. It shows the pictures on which only one model
was right, each marked with its prediction's id, so that deletions can remove it
(see `vibecheck/records/deletion/redact_reports.py`).
"""

import contextlib
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

from vibecheck.analytics.markup import document, section
from vibecheck.analytics.shares import share
from vibecheck.emotions import BY_NAME, EMOTIONS
from vibecheck.errors import ModelError, PictureError
from vibecheck.evaluation.compare import Comparison
from vibecheck.evaluation.evidence import threshold
from vibecheck.evaluation.report import HTML_FILE, JSON_FILE, BothScores, Changed, Report, Scores
from vibecheck.records import disk
from vibecheck.records.deletion.redact_reports import without_pictures
from vibecheck.vision.images import decode, thumbnail

# Pictures shown of each kind, and their side in px: a page of some hundred KB.
SHOWN = 24
SIDE = 128
CONFUSION = "Row: the label. Column: the answer."
CALIBRATION = "The difference between confidence and accuracy (expected calibration error)."
# Colours of the confusion matrix, as red, green, blue.
RIGHT, WRONG = "62,130,90", "184,80,60"

STYLE = Path(__file__).with_name("report.css").read_text(encoding="utf-8")


def write(report: Report, out: Path, pictures: Mapping[str, bytes]) -> Path:
    """Write both files into the folder `out`; returns the path of the page.

    `pictures` are JPEGs by prediction id. Each file is there whole or not at all. Raises ModelError.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        disk.write(out / JSON_FILE, report.as_json().encode())
        disk.write(out / HTML_FILE, page(report, pictures).encode())
    except OSError as error:
        raise ModelError(f"The report cannot be written to {out} ({error.strerror}).") from error
    return out / HTML_FILE


def without_faces(path: Path) -> None:
    """Remove the faces from a report that another one has replaced; it may be gone, or on another machine."""
    with contextlib.suppress(OSError, ValueError):
        disk.write(path, without_pictures(path.read_text(encoding="utf-8")).encode())


def page(report: Report, pictures: Mapping[str, bytes]) -> str:
    """The report for people as HTML."""
    parts = [
        _verdict(report),
        _numbers("On labels that judge both", report.held_out, report.scores, report.attempt),
        _numbers("On the reference set", report.reference, report.reference_scores),
    ]
    if report.scores:
        parts += [
            _classes(report.scores),
            section("Confusion matrix", CONFUSION, _both(report.scores, _matrix)),
            section("Calibration", CALIBRATION, _both(report.scores, _calibration)),
        ]
    lost = [each for each in report.changed if not each.won]
    won = [each for each in report.changed if each.won]
    parts += [_faces("Lost", lost, pictures), _faces("Won", won, pictures), _judged(report)]
    about = f"{report.challenger} against {report.champion}, {report.made_at:%-d %b %Y, %H:%M} UTC"
    return document("Is it better?", about, parts, STYLE)


def _verdict(report: Report) -> str:
    word, kind = ("Proved better", "yes") if report.proved else ("Not proved", "no")
    reason = report.reason.removeprefix(word).lstrip(".: ")  # which the heading says already
    said = escape(reason[:1].upper() + reason[1:])
    return section("", "", f'<div class="verdict {kind}">{word}</div><p>{said}</p>')


def _numbers(
    title: str, tally: Comparison | None, pair: BothScores | None, attempt: int | None = None
) -> str:
    if tally is None or pair is None:
        return ""
    differ = tally.won + tally.lost
    duel = "<p>They are right and wrong on the same pictures.</p>"
    if differ:
        duel = (
            f'<div class="duel" role="img" aria-label="won {tally.won}, lost {tally.lost}">'
            f'<i style="width:{tally.won / differ:.2%}"></i><b style="width:{tally.lost / differ:.2%}"></b>'
            f'</div><div class="ends"><span class="yes">won {tally.won:,}</span>'
            f'<span class="bad">lost {tally.lost:,}</span></div>'
            f"<p>Only pictures on which one is right and the other wrong tell them apart. "
            f"{_evidence(tally, attempt)}Difference in accuracy: {tally.low * 100:+.0f} to "
            f"{tally.high * 100:+.0f} points (90% confidence sequence).</p>"
        )
    return section(title, "", _both(pair, _accuracy) + duel)


def _both(pair: BothScores, shown: Callable[[Scores], str]) -> str:
    """The scores of both models side by side."""
    cells = "".join(
        f"<div><h3>{role}</h3>{shown(scores)}</div>"
        for role, scores in (("Champion", pair.champion), ("Challenger", pair.challenger))
    )
    return f'<div class="two">{cells}</div>'


def _accuracy(scores: Scores) -> str:
    found = share(scores.right, scores.n)
    return (
        f'<div class="number">{scores.accuracy:.1%}</div><div class="small">{scores.right:,} of '
        f"{scores.n:,} right, 95%: {found.low:.0%} to {found.high:.0%}</div>"
    )


def _classes(pair: BothScores) -> str:
    rows = []
    for emotion, n, before, after in pair.by_mood():
        if not n:
            rows.append(f'<tr><td>{emotion.title}</td><td class="n">0</td><td colspan=3>–</td></tr>')
            continue
        change = after - before
        kind = "yes" if change > 0 else "bad" if change < 0 else ""
        rows.append(
            f'<tr><td style="color:{emotion.colour}">{emotion.title}</td><td class="n">{n:,}</td>'
            f'<td class="n">{before / n:.0%}</td><td class="n">{after / n:.0%} '
            f'<span class="{kind}">{change:+d}</span></td><td><span class="strip">'
            f'<i style="width:{after / n:.1%};background:{emotion.colour}"></i>'
            f'<b style="left:{before / n:.1%}"></b></span></td></tr>'
        )
    heads = ("Mood", ""), ("Labels", "n"), ("Champion", "n"), ("Challenger", "n"), ("", "")
    head = "".join(f'<th scope="col" class="{kind}">{name}</th>' for name, kind in heads)
    table = f"<table class=bars><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    note = "How many of each mood were recognised. Bar: challenger; mark: champion."
    return section("Mood by mood", note, f'<div class="wide">{table}</div>')


def _matrix(scores: Scores) -> str:
    head = "".join(f'<th scope="col" title="{each.title}">{each.emoji}</th>' for each in EMOTIONS)
    rows = []
    for emotion, counts in zip(EMOTIONS, scores.confusion, strict=True):
        total = sum(counts)
        cells = "".join(
            f'<td style="background:rgba({RIGHT if each is emotion else WRONG},{count / max(1, total):.2f})">'
            f"{count or ''}</td>"
            for each, count in zip(EMOTIONS, counts, strict=True)
        )
        rows.append(f'<tr><th scope="row">{emotion.title}</th>{cells}</tr>')
    return (
        f'<div class="wide"><table class="matrix"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _calibration(scores: Scores) -> str:
    tends = "overconfident" if scores.bias > 0 else "underconfident"
    return (
        f'<div class="number">{scores.ece * 100:.1f}</div>'
        f'<div class="small">points off, {tends} by {abs(scores.bias) * 100:.1f}</div>'
    )


def _faces(title: str, rows: Sequence[Changed], pictures: Mapping[str, bytes]) -> str:
    if not rows:
        return ""
    right, wrong = ("champion", "challenger") if title == "Lost" else ("challenger", "champion")
    more = f" Shown: the first {SHOWN}." if len(rows) > SHOWN else ""
    figures = "".join(_figure(each, pictures.get(each.prediction_id)) for each in rows[:SHOWN])
    count = f"{len(rows):,} picture{'s' if len(rows) != 1 else ''}"
    note = (
        f"Here the {right} is right and the {wrong} is wrong. Before: what the champion says; after: the "
        f"challenger.{more}"
    )
    return section(f"{title}: {count}", note, f'<div class="faces">{figures}</div>')


def _figure(row: Changed, picture: bytes | None) -> str:
    shown = '<div class="none"></div>'
    if picture is not None and (data := _small(picture)) is not None:
        shown = (
            f'<img data-prediction="{escape(row.prediction_id)}" alt="Labelled {escape(row.label)}" '
            f'src="data:image/jpeg;base64,{data}">'
        )
    said = (
        f"before {BY_NAME[row.champion].title} {row.champion_confidence:.0%}<br>"
        f"after {BY_NAME[row.challenger].title} {row.challenger_confidence:.0%}"
    )
    label = BY_NAME[row.label]
    caption = f'<span style="color:{label.colour}">{label.title}</span><br><span class="small">{said}</span>'
    return f"<figure>{shown}<figcaption>{caption}</figcaption></figure>"


def _small(picture: bytes) -> str | None:
    try:
        return b64encode(thumbnail(decode(picture, name="A kept picture"), SIDE)).decode()
    except PictureError:
        return None


def _judged(report: Report) -> str:
    lines = [
        f"{report.held_out.n:,} labels judged: audits, imports and the labellers' random queue, of "
        "people on whose pictures neither model was trained.",
        f"The challenger was trained on {report.trained_on:,} vibe checks.",
        *(f"Left out, {escape(reason)}: {count:,}." for reason, count in sorted(report.left_out.items())),
    ]
    return section("Labels that judged", "", "".join(f"<p>{line}</p>" for line in lines))


def _evidence(tally: Comparison, attempt: int | None) -> str:
    if tally.evidence is None or attempt is None:
        return ""
    proves = f"{threshold(attempt):,.0f} proves it, however often one looks. "
    return f"The evidence is {tally.evidence:,.3g}; {proves}"
