"""README.md and docs/ match the code, and the commands they show work."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from benchmarks.__main__ import app as benchmarks
from docs.lists import list_of_pages, settings_table
from finetune.commands import app as finetune
from vibecheck.cli.main import app as vibecheck
from vibecheck.settings import Settings, environment_name

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    str(page.relative_to(ROOT)): page.read_text(encoding="utf-8")
    for page in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")))
}
TEXT = "\n".join(PAGES.values())
APPS = {"vibecheck": vibecheck, "finetune": finetune, "benchmarks": benchmarks}
SOURCE = re.sub(
    r'"\s*\n\s*f?"',
    "",
    "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "vibecheck").rglob("*.py"))
    + (ROOT / "Makefile").read_text(encoding="utf-8"),
)


def commands_in(text: str) -> list[str]:
    """What its blocks of shell tell one to type, without the comments."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [re.sub(r"\s#.*", "", line).strip() for block in blocks for line in block.splitlines()]
    return [line for line in dict.fromkeys(lines) if line and not line.startswith("#")]


def part(page: str, name: str) -> str:
    """What stands between the comments `<!-- name -->` and `<!-- /name -->`."""
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", PAGES[page], re.DOTALL)
    assert found, f"{page} lacks {name}"
    return found[1]


def test_settings_table_in_the_docs_is_current():
    assert part("docs/settings.md", "settings") == settings_table(), "make docs writes it"


def test_the_index_lists_every_page():
    assert part("docs/README.md", "pages") == list_of_pages(), "make docs writes it"


def test_the_readme_is_short():
    assert len(README.split()) <= 700


@pytest.mark.parametrize(
    ("page", "target"),
    [(page, target) for page, text in PAGES.items() for target in re.findall(r"\]\(([^)\s]+)\)", text)],
)
def test_links_in_the_docs_lead_to_existing_files_and_headings(page, target):
    path, _, heading = target.partition("#")
    if ":" in path:
        return
    there = (ROOT / page).parent / path if path else ROOT / page
    assert there.exists()
    if heading:
        titles = re.findall(r"^#+ (.*)", there.read_text(encoding="utf-8"), re.MULTILINE)
        assert heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_pictures_in_the_readme_are_small():
    pictures = re.findall(r"docs/\w+\.png", README)
    assert pictures
    for picture in pictures:
        assert (ROOT / picture).stat().st_size < 400_000


def test_the_layout_names_what_is_there():
    rows = re.findall(r"^\| (`.*?) \|", PAGES["CONTRIBUTING.md"], re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([\w/]+(?:/|\.py))`", row)]
    assert len(named) > 20
    assert [
        name for name in named if not any((ROOT / top / name).exists() for top in ("", "vibecheck"))
    ] == []


@pytest.mark.parametrize(("package", "app"), APPS.items())
def test_every_command_is_documented_and_no_other(package, app):
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    commands |= {group.name for group in app.registered_groups}
    assert set(re.findall(rf"python -m {package} ([a-z][a-z-]*)", TEXT)) == commands


@pytest.mark.parametrize("name", dict.fromkeys(re.findall(r"`(VIBECHECK_\w+)`", TEXT)))
def test_every_documented_setting_exists(name):
    known = {environment_name(field) for field in Settings.model_fields}
    assert name in known | {"VIBECHECK_TEST_CHROMIUM"}


@pytest.mark.parametrize(
    ("group", "command"),
    [
        (group.name, command.name or command.callback.__name__)
        for group in vibecheck.registered_groups
        for command in group.typer_instance.registered_commands
    ],
)
def test_every_command_of_a_group_is_documented(group, command):
    assert re.search(rf"python -m vibecheck {group} {command}\b", TEXT)


@pytest.mark.parametrize("line", [line for line in commands_in(TEXT) if line.startswith("python -m ")])
def test_every_documented_option_exists(line):
    _, _, package, *words = shlex.split(line)
    command = typer.main.get_command(APPS[package])
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("line", commands_in(README))
def test_commands_in_the_readme_work(line, tmp_path, astronaut, monkeypatch):
    monkeypatch.setenv("VIBECHECK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("VIBECHECK_MODEL", "embedded")
    program, *words = shlex.split(line)
    if program == "make":
        # Only what it would do: that would be this test run, among others.
        dry = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True)
        assert dry.returncode == 0, dry.stderr
        return
    assert (program, words[0]) == ("python", "-m"), "what this is, nobody told this test"
    monkeypatch.chdir(tmp_path)
    Image.fromarray(astronaut).save("face.jpg")
    done = CliRunner().invoke(APPS[words[1]], words[2:])
    assert done.exit_code == 0, done.output


def test_predict_works_as_documented(astronaut, tmp_path, monkeypatch):
    monkeypatch.setenv("VIBECHECK_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    Image.fromarray(astronaut).save("face.jpg")
    lines = [
        line for line in commands_in(PAGES["docs/commands.md"]) if " predict " in line and "clip" not in line
    ]
    assert len(lines) == 4
    for line in lines:
        words = [
            word if re.match("-|predict|champion", word) else "face.jpg" for word in shlex.split(line)[3:]
        ]
        done = CliRunner().invoke(vibecheck, words)
        assert done.exit_code == 0, done.output
        assert "face.jpg" in done.output


# Streamlit says it, or the next page does.
OTHERS_SAY = {"Port 8501 is not available", "loading"}


@pytest.mark.parametrize(
    "said",
    [
        said.strip(" .")
        for row in re.findall(r"^\| (.*?) \|", PAGES["docs/troubleshooting.md"], re.MULTILINE)
        for quoted in re.findall(r'"([^"]+)"', row)
        if quoted not in OTHERS_SAY
        for said in quoted.split("…")
        if said.strip()
    ],
)
def test_messages_quoted_in_troubleshooting_are_those_of_the_app(said):
    assert said.lower() in SOURCE.lower()
