"""Champion and challenger compared, as HTML: for the page, and for the report of a run."""

from html import escape

from vibecheck.analytics.markup import strip_row, strip_rows
from vibecheck.analytics.shares import share
from vibecheck.analytics.words import interval
from vibecheck.emotions import EMOTIONS
from vibecheck.evaluation.compare import Comparison
from vibecheck.evaluation.proof import Proof
from vibecheck.evaluation.report import BothScores, Scores
from vibecheck.text.plurals import counted


def sides(*parts: tuple[str, str]) -> str:
    """Parts side by side: each has a name, and its HTML."""
    cells = (
        f'<div class="vcf-side"><div class="name" title="{escape(name)}">{escape(name)}</div>{part}</div>'
        for name, part in parts
    )
    return f'<div class="vcf-two">{"".join(cells)}</div>'


def accuracies(champion: str, challenger: str, seen: Comparison | Proof) -> str:
    """The accuracy of two versions on the same labels."""
    return sides(
        (f"Champion · {champion}", _accuracy(seen.champion, seen.n)),
        (f"Challenger · {challenger}", _accuracy(seen.challenger, seen.n)),
    )


def _accuracy(right: int, n: int) -> str:
    found = share(right, n)
    return (
        f'<div class="value">{found.value:.0%} <span class="vcd-interval">{interval(found)}</span></div>'
        f'<div class="under">{right:,} of {n:,} labels right</div>'
    )


def calibrations(pair: BothScores) -> str:
    """The calibration error of both."""
    return sides(("Champion", _calibration(pair.champion)), ("Challenger", _calibration(pair.challenger)))


def _calibration(scores: Scores) -> str:
    return (
        f'<div class="value">{scores.ece * 100:.1f}</div>'
        f'<div class="under">points off, {"over" if scores.bias > 0 else "under"}confident</div>'
    )


def score(seen: Comparison, proves: float | None = None, needed: int | None = None) -> str:
    """Won, lost, same, and the difference in accuracy; with the evidence so far, if so much of it `proves`.

    `needed` is about how many more audits that takes.
    """
    differ = seen.won + seen.lost
    same = seen.n - differ
    if not differ:
        faces = counted(seen.n, "face")
        return f'<div class="vcd-detail">Both are right or wrong on the same {faces}.</div>'
    said = ""
    if seen.evidence is not None:  # it is None in reports of an earlier version
        bounds = f"{seen.low * 100:+.0f} to {seen.high * 100:+.0f} points"
        said = f"Difference in accuracy: {bounds} (90% confidence sequence)."
        if proves is not None:
            evidence = f"The evidence is {seen.evidence:,.3g}; {proves:,.0f} proves it"
            said = f"{evidence}, however often one looks. {said}"
    more = f" About {counted(needed, 'more audit')}." if needed else ""
    return (
        f'<div class="vcf-duel" role="img" aria-label="won {seen.won}, lost {seen.lost}, same {same}">'
        f'<i style="width:{seen.won / differ:.1%}"></i></div>'
        f'<div class="vcf-ends"><span class="vcd-good">won {seen.won:,}</span><span>same {same:,}</span>'
        f'<span class="vcd-bad">lost {seen.lost:,}</span></div>'
        f'<div class="vcd-detail">{said}{more}</div>'
    )


def moods(pair: BothScores) -> str:
    """How many of each mood were recognised: by the challenger as a bar, by the champion as a mark."""
    rows = []
    for emotion in EMOTIONS:
        before, n = pair.champion.per_class.get(emotion.name, (0, 0))
        after, _ = pair.challenger.per_class.get(emotion.name, (0, 0))
        if not n:
            continue
        text = f"{emotion.title}: {after} of {n} recognised, by the champion {before}"
        kind = "good" if after > before else "bad" if after < before else ""
        change = f"{after - before:+d}" if after != before else "="
        bar = f'<i style="left:0;width:{after / n:.1%};background:{emotion.colour}"></i>'
        mark = f'<b style="left:{before / n:.1%}"></b>'
        note = f'<span class="vcd-{kind}">{change}</span> of {n:,}'
        rows.append(strip_row(f"{emotion.emoji} {emotion.title}", bar + mark, f"{after / n:.0%}", note, text))
    return strip_rows(rows)
