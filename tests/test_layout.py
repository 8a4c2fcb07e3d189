"""The folder tree is a table of contents: one name, one thing."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for package in ("vibecheck", "finetune") for path in (ROOT / package).rglob("*.py"))
AT_THE_TOP = {"__init__", "__main__", "check", "emotions", "errors"}


def repeated(names: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: places for name, places in names.items() if len(places) > 1}


def test_only_shared_modules_are_outside_the_packages():
    assert {path.stem for path in (ROOT / "vibecheck").glob("*.py")} == AT_THE_TOP


def test_no_module_name_stands_for_two_things():
    modules = defaultdict(list)
    for path in MODULES:
        if path.stem not in ("__init__", "__main__"):
            modules[path.stem].append(str(path.relative_to(ROOT)))
    assert repeated(modules) == {}


def test_no_class_name_stands_for_two_things():
    classes, aliases = defaultdict(list), set()
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                classes[node.name].append(str(path.relative_to(ROOT)))
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                aliases.add(node.targets[0].id)
    assert repeated(classes) == {}
    assert aliases & classes.keys() == set(), "a type alias has the name of a class"


def test_every_package_says_what_it_is_for():
    packages = [path for path in MODULES if path.name == "__init__.py"]
    assert [str(path) for path in packages if not ast.get_docstring(ast.parse(path.read_text()))] == []
