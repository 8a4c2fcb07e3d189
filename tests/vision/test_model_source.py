from pathlib import Path

import pytest

from vibecheck.vision.model_source import Embedded, HubModel, ModelFolder, parse_source


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("embedded", Embedded()),
        ("dima806/facial_emotions_image_detection", HubModel("dima806/facial_emotions_image_detection")),
        (" owner/name@main ", HubModel("owner/name", "main")),
        ("owner/name@refs/pr/1", HubModel("owner/name", "refs/pr/1")),
        ("/somewhere/else", ModelFolder(Path("/somewhere/else"))),
        ("./owner/name", ModelFolder(Path.cwd() / "owner/name")),
        ("~/model", ModelFolder(Path.home() / "model")),
    ],
)
def test_model_source_is_a_hub_id_a_folder_or_embedded(text, source):
    assert parse_source(text) == source


def test_existing_folder_takes_precedence_over_a_hub_id(tmp_path, monkeypatch):
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert parse_source("owner/name") == ModelFolder(tmp_path / "owner" / "name")
    assert parse_source("owner/other") == HubModel("owner/other")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "embeded",
        "a/b/c",
        "owner/na me",
        "owner/name@",
        "owner/name@a b",
        "owner/..",
        "a--b/c",
        "é/b",
        "a" * 96 + "/b",
        "a" * 300,
        "~nobody-here/model",
    ],
)
def test_malformed_model_source_is_refused(text):
    with pytest.raises(ValueError, match="owner/name"):
        parse_source(text)


@pytest.mark.parametrize("text", ["embedded", "owner/name", "owner/name@main", "/a/b"])
def test_a_source_is_written_as_it_is_read(text):
    assert str(parse_source(text)) == text


def test_only_a_commit_identifies_the_version_of_a_hub_model():
    assert HubModel("owner/name").version is None
    assert HubModel("owner/name", "main").version is None
    assert HubModel("owner/name", "0123456789ab" + "0" * 28).version == "owner/name@0123456789ab"
