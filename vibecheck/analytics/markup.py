"""Parts of the dashboard as HTML, for the page and for reports. Text from the records is escaped."""

from collections.abc import Iterable, Sequence
from html import escape

from vibecheck.analytics.overview import ModelStatus
from vibecheck.analytics.retrain import Advice
from vibecheck.analytics.slices import Slice
from vibecheck.analytics.words import Answer, interval, written
from vibecheck.emotions import BY_NAME
from vibecheck.records.stats.results import MoodPlays
from vibecheck.text.plurals import counted

MARKS = {True: ("✓", "good", "done"), False: ("✗", "bad", "missing"), None: ("!", "look", "look at this")}


def document(title: str, about: str, parts: Iterable[str], style: str) -> str:
    """A self-contained page: a heading, a line about it, and its parts."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>VibeCheck: {title.lower()}</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style></head><body><h1>{title}</h1><p>{escape(about)}</p>"
        f"{''.join(parts)}</body></html>\n"
    )


def section(title: str, note: str, inner: str) -> str:
    """A section of a page; title and note may be empty."""
    head = f"<h2>{escape(title)}</h2>" if title else ""
    return f"<section>{head}{f'<p>{escape(note)}</p>' if note else ''}{inner}</section>"


def answer_card(answer: Answer) -> str:
    """A question and its answer; moods are in their colours."""
    figure = escape(answer.figure)
    for mood in answer.moods:
        for word in (BY_NAME[mood].title, mood):
            span = f'<span style="color:{BY_NAME[mood].colour}">{word}</span>'
            figure = figure.replace(word, span) if span not in figure else figure
    size = "vcd-number" if answer.figure.endswith("%") else "vcd-phrase"
    return (
        f'<div class="vcd-answer"><div class="vcd-question">{escape(answer.question)}</div>'
        f'<div><span class="{size}">{figure}</span> '
        f'<span class="vcd-interval">{escape(answer.interval)}</span></div>'
        f'<div class="vcd-detail">{escape(answer.detail)}</div></div>'
    )


def slice_rows(slices: Sequence[Slice]) -> str:
    """Slices, each with a strip for its interval; those that differ significantly are marked."""
    if not slices:
        return _nothing("No audit has been answered yet.")
    return strip_rows(map(_slice_row, slices))


def strip_rows(rows: Iterable[str]) -> str:
    """Rows of `strip_row` below each other."""
    return f'<div class="vcd-slices">{"".join(rows)}</div>'


def strip_row(name: str, strip: str, value: str, note: str, said: str = "") -> str:
    """A name, a strip with its bars, a value and a note, as HTML; `said` describes the strip."""
    described = f' role="img" aria-label="{said}" title="{said}"' if said else ""
    return (
        f'<span class="vcd-name">{name}</span><span class="vcd-strip"{described}>{strip}</span>'
        f'<span class="vcd-value">{value}</span><span class="vcd-n">{note}</span>'
    )


def checklist(advice: Advice) -> str:
    """The checks of the advice, passed or failed."""
    items = []
    for check in advice.checks:
        mark, kind, text = MARKS[check.passed]
        items.append(
            f'<li><span class="vcd-{kind}" role="img" aria-label="{text}">{mark}</span> '
            f"{escape(check.reason)}</li>"
        )
    return f'<ul class="vcd-checks">{"".join(items)}</ul>'


def _slice_row(each: Slice) -> str:
    accuracy = each.accuracy
    kind = (" bad" if each.worse else " good") if each.stands_out else ""
    note = " · significant" if each.stands_out else ""
    text = f"{accuracy.value:.0%} right, {interval(accuracy)}, {counted(accuracy.n, 'audit')}{note}"
    name = f'<span class="vcd-name{kind}" title="{escape(each.what)}">{escape(each.name)}</span>'
    bar = f'<i class="{kind}" style="left:{accuracy.low:.1%};width:{accuracy.high - accuracy.low:.1%}"></i>'
    mark = f'<b style="left:{accuracy.value:.1%}"></b>'
    value = f"{accuracy.value:.0%}{' *' if each.stands_out else ''}"
    return strip_row(name, bar + mark, value, f"n {accuracy.n:,}", text)


def _nothing(text: str) -> str:
    return f'<div class="vcd-detail">{escape(text)}</div>'


def versions_table(status: ModelStatus) -> str:
    """The models, one a row; the one in use is marked."""
    heads = ("Model", "Live", "Vibe checks", "Accuracy", "Audits", "Calibration error", "Latency")
    rows = []
    for model in status.versions:
        accuracy = model.accuracy
        now = " · in use" if model.version == status.champion else ""
        began, last = written(model.first_used_at), model.last_day
        row = (
            model.version + now,
            f"{began} to {written(last)}" if last else f"since {began}",
            f"{model.n:,}",
            f"{accuracy.value:.0%} ({interval(accuracy)})" if accuracy.n else "–",
            f"{accuracy.n:,}",
            f"{model.calibration.error * 100:.1f} points" if model.calibration.error is not None else "–",
            f"{model.latency_ms:.0f} ms" if model.latency_ms is not None else "–",
        )
        rows.append(row)
    return table(heads, rows)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with these heads of columns. On narrow screens it scrolls sideways, also by the arrow keys."""
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="vcd-wide" tabindex="0" role="region" aria-label="Table"><table class="vcd-table">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def again_rows(plays: Sequence[MoodPlays]) -> str:
    """For each mood, the share of playlists that were asked for by "another one"."""
    shown = [each for each in plays if each.plays]
    if not shown:
        return _nothing("No playlist has been suggested yet.")
    rows = []
    for each in shown:
        mood, again = BY_NAME[each.mood], each.agains / each.plays
        bar = f'<i style="left:0;width:{again:.1%};background:{mood.colour}"></i>'
        rows.append(strip_row(mood.title, bar, f"{again:.0%}", f"n {each.plays:,}"))
    return strip_rows(rows)
