"""Hundreds of hostile inputs at every door that is a function: what cannot be used is refused in a sentence.

The doors that are pages are in tests/end_to_end/test_hostile_visitors.py; labels.csv, and pictures that were
damaged on purpose, are in tests/importing/test_label_files.py and tests/vision/test_images.py.
"""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.conftest import examples
from vibecheck.errors import LabelsError, PictureError, RecordsError, SettingsError, VibeCheckError
from vibecheck.importing.label_files import read
from vibecheck.models.background_build import BuildState, state_of
from vibecheck.music.spotify import parse_search
from vibecheck.records.db.connect import open_database
from vibecheck.records.pictures import Pictures
from vibecheck.records.values import is_prediction_id
from vibecheck.settings import Settings, environment_name
from vibecheck.ui.home.consent import CHOICES, parse
from vibecheck.vision.images import decode

HUNDREDS = settings(
    max_examples=examples(300),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ALMOST = st.fixed_dictionaries(
    {"step": st.sampled_from(["ready", "failed", "fetching", ""]) | JSON},
    optional=dict.fromkeys(("done", "total", "version", "sentence", "later"), JSON),
)
# What an environment can hold: no NUL, nothing that is no character.
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
URLS = (
    WORDS | WORDS.map("postgresql://".__add__) | WORDS.map("sqlite:///".__add__) | WORDS.map("s3://".__add__)
)


@HUNDREDS
@given(st.text(max_size=200) | JSON.map(json.dumps) | ALMOST.map(json.dumps) | st.just("[" * 100_000))
def test_event_line_is_parsed_into_a_build_state_or_ignored(line):
    state = state_of(line)
    assert state is None or isinstance(state, BuildState)


@HUNDREDS
@given(st.sampled_from(sorted(map(environment_name, Settings.model_fields))), WORDS | URLS)
def test_setting_of_any_value_is_accepted_or_refused_by_name(name, value):
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        loaded = Settings.load()
        assert loaded.records_url and loaded.images_url and loaded.source
    except SettingsError as error:
        assert name in str(error) and not isinstance(error, ValidationError)
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


@HUNDREDS
@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda some: some.decode("latin-1")))
def test_arbitrary_settings_file_is_read_or_refused(tmp_path, text):
    here = Path.cwd()
    (tmp_path / ".streamlit").mkdir(exist_ok=True)
    (tmp_path / ".streamlit" / "secrets.toml").write_text(text, encoding="utf-8", errors="replace")
    (tmp_path / ".env").write_text(text, encoding="utf-8", errors="replace")
    os.chdir(tmp_path)
    try:
        Settings.load()
    except SettingsError as error:
        assert str(error)
    finally:
        os.chdir(here)


@HUNDREDS
@given(URLS.filter(lambda url: not url.startswith(("sqlite", "postgres"))))
def test_url_of_another_kind_of_database_is_refused_before_opening_anything(url):
    with pytest.raises(RecordsError, match="VIBECHECK_DATABASE_URL"):
        open_database(url)


@HUNDREDS
@given(st.text(max_size=60))
def test_malformed_id_names_no_picture(tmp_path, name):
    if not is_prediction_id(name):
        with pytest.raises(RecordsError):
            Pictures(str(tmp_path)).get(name)


@HUNDREDS
@given(st.binary(max_size=2000))
def test_arbitrary_bytes_are_refused_as_an_upload(content):
    with pytest.raises(PictureError, match=r"^me\.jpg "):
        decode(content, name="me.jpg")


@HUNDREDS
@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: f"path,label\n{text}".encode()))
def test_arbitrary_label_file_is_read_or_refused(tmp_path, content):
    (tmp_path / "labels.csv").write_bytes(content)
    try:
        list(read(tmp_path / "labels.csv"))
    except LabelsError as error:
        assert str(error)


@HUNDREDS
@given(st.none() | st.text(max_size=60))
def test_consent_cookie_always_gives_a_valid_choice(text):
    assert parse(text) in CHOICES


@HUNDREDS
@given(JSON)
def test_any_spotify_answer_gives_playlists(answer):
    assert isinstance(parse_search(answer, "happy"), tuple)


def test_every_refusal_is_a_vibecheck_error():
    assert all(
        issubclass(each, VibeCheckError) for each in (LabelsError, PictureError, RecordsError, SettingsError)
    )
