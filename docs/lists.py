"""python -m docs.lists: generates the tables of settings and architectures, and the list of pages.

Sources are `vibecheck/settings`, the models that the tests build, and the first lines of each page. Tests
check that the tables are current.
"""

import re
from pathlib import Path

from tests.standins.architectures import ARCHITECTURES
from vibecheck.settings import Settings, environment_name

DOCS = Path(__file__).parent
INDEX = DOCS / "README.md"


def settings_table() -> str:
    """One row per setting: its name in the environment, default and description."""
    rows = ["| setting | default | description |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        rows.append(f"| `{environment_name(name)}` | {default} | {field.description} |")
    return "\n".join(rows)


def list_of_pages() -> str:
    """One row per page of docs/: its title, and the first sentence below it."""
    rows = ["| page | content |", "|---|---|"]
    for page in sorted(set(DOCS.glob("*.md")) - {INDEX}):
        title, _, text = page.read_text(encoding="utf-8").partition("\n")
        paragraph = " ".join(text.strip().partition("\n\n")[0].split())
        sentence = re.match(r"(.*?\.)(?=\s|$)", paragraph)
        rows.append(
            f"| [{title.removeprefix('# ')}]({page.name}) | {sentence[1] if sentence else paragraph} |"
        )
    return "\n".join(rows)


def architectures_table() -> str:
    """One row per tested architecture: which part of a face crop is its input, or why it cannot run."""
    crops = {"whole": "whole crop", "centre": "centre of the crop"}
    rows = ["| architecture | `model_type` | runs | input |", "|---|---|---|---|"]
    for each in ARCHITECTURES:
        runs, sees = ("no: " + each.why, "–") if each.refused else ("yes", crops[each.crop])
        rows.append(f"| {each.name} | `{each.kind}` | {runs} | {sees} |")
    return "\n".join(rows)


def write(page: Path, name: str, text: str) -> None:
    """Writes `text` between the comments `<!-- name -->` and `<!-- /name -->` of a page."""
    before, start, rest = page.read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- /{name} -->")
    if not (start and end):
        raise SystemExit(f"{page} lacks the comments <!-- {name} --> and <!-- /{name} -->.")
    page.write_text(f"{before}{start}{text}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    write(DOCS / "settings.md", "settings", settings_table())
    write(DOCS / "models.md", "architectures", architectures_table())
    write(INDEX, "pages", list_of_pages())
