"""Writes the report of a comparison for programs (`report.json`) and for people (`report.html`).

The page is one file without scripts or external resources. It shows the pictures on which only one model
was right, each marked with its prediction's id, so that deletions can remove it
(see `vibecheck/records/deletion/redact_reports.py`).
"""

import contextlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from vibecheck.analytics import comparison_markup
from vibecheck.analytics.markup import document, section
from vibecheck.emotions import BY_NAME, EMOTIONS
from vibecheck.errors import ModelError, PictureError
from vibecheck.evaluation.compare import Comparison
from vibecheck.evaluation.evidence import threshold
from vibecheck.evaluation.report import HTML_FILE, JSON_FILE, Changed, Report, Scores
from vibecheck.records import disk
from vibecheck.records.deletion.redact_reports import without_pictures
from vibecheck.text.plurals import counted
from vibecheck.vision.images import decode, thumbnail

# Pictures shown of each kind, and their side in px: a page of some hundred KB.
SHOWN = 24
SIDE = 128
DECISIVE = "Accuracies with 95% intervals. Only pictures on which one is right and the other wrong decide."
MOODS = "How many of each mood were recognised. Bar: challenger; mark: champion."
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
        _score("On labels that judge both", report, report.held_out, threshold(report.attempt)),
        _score("On the reference set", report, report.reference),
    ]
    if pair := report.scores:
        matrices = ("Champion", _matrix(pair.champion)), ("Challenger", _matrix(pair.challenger))
        parts += [
            section("Mood by mood", MOODS, comparison_markup.moods(pair)),
            section("Confusion matrix", CONFUSION, comparison_markup.sides(*matrices)),
            section("Calibration", CALIBRATION, comparison_markup.calibrations(pair)),
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


def _score(title: str, report: Report, seen: Comparison | None, proves: float | None = None) -> str:
    if seen is None or not seen.n:
        return ""
    accuracies = comparison_markup.accuracies(report.champion, report.challenger, seen)
    return section(title, DECISIVE, accuracies + comparison_markup.score(seen, proves))


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


def _faces(title: str, rows: Sequence[Changed], pictures: Mapping[str, bytes]) -> str:
    if not rows:
        return ""
    right, wrong = ("champion", "challenger") if title == "Lost" else ("challenger", "champion")
    more = f" Shown: the first {SHOWN}." if len(rows) > SHOWN else ""
    figures = "".join(_figure(each, pictures.get(each.prediction_id)) for each in rows[:SHOWN])
    count = counted(len(rows), "picture")
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
        f"{counted(report.held_out.n, 'label')} judged: audits, imports and the labellers' random queue, of "
        "people on whose pictures neither model was trained.",
        f"The challenger was trained on {counted(report.trained_on, 'vibe check')}.",
        *(f"Left out, {escape(reason)}: {count:,}." for reason, count in sorted(report.left_out.items())),
    ]
    return section("Labels that judged", "", "".join(f"<p>{line}</p>" for line in lines))
