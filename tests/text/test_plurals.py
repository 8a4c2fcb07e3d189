"""Counts in sentences are right for one of a thing, too."""

import re
from pathlib import Path

import pytest

from vibecheck.text.plurals import counted

ROOT = Path(__file__).parents[2]
NOUNS = (
    "answer|audit|change|check|day|epoch|face|hour|label|minute|mistake|picture|playlist|prediction|reading|record|"
    "second|video|visitor"
)
# In an f-string: an expression, perhaps an adjective, and a noun in the plural.
COUNT = re.compile(rf"(?<!of )\{{(?P<what>[^{{}}]+)\}}(?: (?:more|new|vibe|labelled))? (?:{NOUNS})s\b")
# Never one, or not a number.
SEVERAL = {
    "parts.hostname", "manifest.version", "found.n:,", "now.n:,", "each.n:,", "people.n:,", "each.theirs.n",
    "minutes:.0f", "minutes / 60:.1f", "left:.1f", "BUSY_SECONDS:g", "LEASE.seconds", "self.per_visitor",
    "passed // timedelta(minutes=1)", "passed // timedelta(hours=1)", "count", "report['faces']",
    "result.faces", "len(faces)", "len(learned.ids)",
}  # fmt: skip


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 vibe checks"), (1, "1 vibe check"), (2, "2 vibe checks"), (1200, "1,200 vibe checks")],
)
def test_number_with_its_noun(number, text):
    assert counted(number, "vibe check") == text


def test_no_sentence_has_a_noun_in_the_plural_after_a_number_that_may_be_one():
    files = [
        ROOT / "Home.py",
        *(file for each in ("vibecheck", "finetune", "pages") for file in (ROOT / each).rglob("*.py")),
    ]
    found = [
        f"{file.relative_to(ROOT)}: {match[0]}"
        for file in files
        for match in COUNT.finditer(file.read_text(encoding="utf-8"))
        if not match["what"].split(".")[-1].isupper() and match["what"] not in SEVERAL
    ]
    assert found == []
