"""The README says what is there."""

import re
from pathlib import Path

import pytest

from benchmarks.__main__ import app as benchmarks
from finetune.__main__ import app as finetune
from vibecheck.cli import app as vibecheck
from vibecheck.settings import Settings, environment_name

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def settings_table() -> str:
    """The table of all settings, as the README has to have it."""
    rows = ["| setting | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        rows.append(f"| `{environment_name(name)}` | {default} | {field.description} |")
    return "\n".join(rows)


def test_the_settings_table_is_the_settings():
    table = re.search(r"<!-- settings -->\n(.*?)\n<!-- /settings -->", README, re.DOTALL)
    assert table and table[1] == settings_table()


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)#:]+)\)", README))
def test_what_it_links_to_is_there(path):
    assert (ROOT / path).is_file()


@pytest.mark.parametrize(
    ("package", "app"), [("vibecheck", vibecheck), ("finetune", finetune), ("benchmarks", benchmarks)]
)
def test_every_command_is_in_it_and_no_other(package, app):
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    commands |= {group.name for group in app.registered_groups}
    assert set(re.findall(rf"python -m {package} ([a-z][a-z-]*)", README)) == commands


@pytest.mark.parametrize("name", re.findall(r"`(VIBECHECK_\w+)`", README))
def test_every_setting_it_names_exists(name):
    assert name in {environment_name(field) for field in Settings.model_fields}


@pytest.mark.parametrize(
    ("group", "command"),
    [
        (group.name, command.name or command.callback.__name__)
        for group in vibecheck.registered_groups
        for command in group.typer_instance.registered_commands
    ],
)
def test_every_command_of_a_group_is_in_it(group, command):
    assert re.search(rf"python -m vibecheck {group} {command}\b", README)
