"""Where a setting comes from, what is refused, and that secrets stay secret."""

import os
import pickle
import re
from pathlib import Path

import pytest
from dotenv import dotenv_values
from dotenv.parser import parse_binding
from pydantic import SecretStr, ValidationError

from vibecheck.errors import SettingsError, VibeCheckError
from vibecheck.settings import Settings, environment_name, without_effect
from vibecheck.settings.files import SECRETS_FILES

SECRET_FIELDS = [
    name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)
]


@pytest.fixture(autouse=True)
def clean_place(tmp_path, monkeypatch) -> Path:
    """A working directory and a home with nothing in them, and an environment without our settings."""
    names = {environment_name(field) for field in Settings.model_fields}
    for name in os.environ:
        if name.upper() in names or name.upper().startswith("VIBECHECK_"):
            monkeypatch.delenv(name)
    project, home = tmp_path / "project", tmp_path / "home"
    project.mkdir()
    home.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setenv("HOME", str(home))
    return tmp_path


def write(path: str, text: str | bytes) -> None:
    """Write a file; `path` is below the temporary folder, "project" being the working directory."""
    file = Path.cwd().parent / path
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)


HOME, PROJECT, DOTENV = "home/.streamlit/secrets.toml", "project/.streamlit/secrets.toml", "project/.env"


def test_default_settings_need_no_accounts():
    loaded = Settings.load()
    assert loaded.data == Path("data")
    assert loaded.database_url is None
    assert loaded.model == "dima806/facial_emotions_image_detection"
    assert loaded.threads == 1
    assert loaded.audit_share == 0.25
    assert loaded.retention_days == 90
    assert (loaded.labellers, loaded.analysts, loaded.trainers) == (None, None, None)
    assert all(getattr(loaded, field) is None for field in SECRET_FIELDS)


def test_secrets_files_are_those_of_streamlit_in_home_and_project():
    assert SECRETS_FILES == ("~/.streamlit/secrets.toml", ".streamlit/secrets.toml")


def test_nearer_settings_sources_override_the_others(monkeypatch):
    seen = []
    write(HOME, "VIBECHECK_THREADS = 2")
    seen.append(Settings.load().threads)
    write(PROJECT, "VIBECHECK_THREADS = 3")
    seen.append(Settings.load().threads)
    write(DOTENV, "VIBECHECK_THREADS=4")
    seen.append(Settings.load().threads)
    monkeypatch.setenv("VIBECHECK_THREADS", "5")
    seen.append(Settings.load().threads)
    seen.append(Settings(threads=6).threads)
    assert seen == [2, 3, 4, 5, 6]


def test_nearer_sources_override_the_others_also_for_the_names_of_services(monkeypatch):
    write(PROJECT, 'hf_token = "of the secrets"')
    write(DOTENV, "hf_token=of .env\nVIBECHECK_MODEL=${HF_TOKEN_OWNER:-me}/model")
    loaded = Settings.load()
    assert (loaded.hf_token.get_secret_value(), loaded.model) == ("of .env", "me/model")
    monkeypatch.setenv("HF_TOKEN", "of the environment")
    assert Settings.load().hf_token.get_secret_value() == "of the environment"


def test_warnings_of_dotenv_stay_those_of_the_program_that_imports_vibecheck(caplog):
    write(DOTENV, 'VIBECHECK_RETENTION_DAYS="7\nVIBECHECK_THREADS=2')
    Settings.load()
    assert not caplog.records, "each start names the broken lines"
    dotenv_values(".env")
    assert [each.name for each in caplog.records] == ["dotenv.main"]


def test_env_file_is_parsed_again_only_after_a_change(monkeypatch):
    parsed = []
    monkeypatch.setattr(
        "dotenv.parser.parse_binding", lambda reader: parsed.append(1) or parse_binding(reader)
    )
    for threads in (2, 3):
        write(DOTENV, f"VIBECHECK_THREADS={threads}")
        assert [Settings.load().threads for _ in range(3)] == [threads] * 3
    assert len(parsed) == 2


def test_settings_sources_are_merged_per_setting(monkeypatch):
    write(HOME, 'COMET_API_KEY = "from-home"\nVIBECHECK_AUDIT_SHARE = 0.5')
    write(PROJECT, 'SPOTIPY_CLIENT_ID = "from-project"\nVIBECHECK_AUDIT_SHARE = 0.75')
    write(DOTENV, "SPOTIPY_CLIENT_SECRET=from-dotenv\n# a comment\nSOMETHING_ELSE=1")
    monkeypatch.setenv("VIBECHECK_DATA", "from-environment")
    loaded = Settings.load()
    assert loaded.comet_api_key == SecretStr("from-home")
    assert loaded.spotify_client_id == "from-project"
    assert loaded.audit_share == 0.75
    assert loaded.spotify_client_secret == SecretStr("from-dotenv")
    assert loaded.data == Path("from-environment")


@pytest.mark.parametrize("name", ["VIBECHECK_THREADS", "vibecheck_threads", "Vibecheck_Threads"])
def test_names_may_be_written_in_any_case(name, monkeypatch):
    write(PROJECT, f"{name} = 3")
    assert Settings.load().threads == 3
    monkeypatch.setenv(name, "4")
    assert Settings.load().threads == 4


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("threads", "VIBECHECK_THREADS"),
        ("database_url", "VIBECHECK_DATABASE_URL"),
        ("spotify_client_id", "SPOTIPY_CLIENT_ID"),
        ("spotify_client_secret", "SPOTIPY_CLIENT_SECRET"),
        ("hf_token", "HF_TOKEN"),
        ("comet_api_key", "COMET_API_KEY"),
        ("comet_workspace", "COMET_WORKSPACE"),
        ("comet_project_name", "COMET_PROJECT_NAME"),
        ("comet_url_override", "COMET_URL_OVERRIDE"),
        ("twilio_account_sid", "TWILIO_ACCOUNT_SID"),
        ("twilio_auth_token", "TWILIO_AUTH_TOKEN"),
        ("cloudflare_turn_key_id", "CLOUDFLARE_TURN_KEY_ID"),
        ("cloudflare_turn_key_api_token", "CLOUDFLARE_TURN_KEY_API_TOKEN"),
    ],
)
def test_settings_of_services_use_the_services_own_names(field, name, monkeypatch):
    assert environment_name(field) == name
    written = "https://comet.example/" if field == "comet_url_override" else "7"
    monkeypatch.setenv(name, written)
    value = getattr(Settings.load(), field)
    assert (value.get_secret_value() if isinstance(value, SecretStr) else str(value)) == written


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_described_and_has_a_name(field):
    assert Settings.model_fields[field].description.endswith(".")
    assert re.fullmatch("[A-Z][A-Z_]+", environment_name(field))


def test_unknown_field_name_is_returned_unchanged():
    assert environment_name("SPOTIPY_CLIENT_ID") == "SPOTIPY_CLIENT_ID"


def test_an_empty_variable_is_no_setting(monkeypatch):
    write(DOTENV, "VIBECHECK_THREADS=")
    monkeypatch.setenv("VIBECHECK_AUDIT_SHARE", "")
    monkeypatch.setenv("COMET_API_KEY", "")
    loaded = Settings.load()
    assert (loaded.threads, loaded.audit_share, loaded.comet_api_key) == (1, 0.25, None)


def test_tables_and_foreign_keys_in_the_secrets_are_ignored():
    write(PROJECT, 'THREADS = 9\n[auth]\nclient_secret = "s"\n[VIBECHECK_THREADS]\nx = 1\n')
    assert Settings.load().threads == 1


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("VIBECHECK_MODEL", "embeded", "give a Hub id"),
        ("VIBECHECK_THREADS", "many", "it must be a valid integer."),
        ("VIBECHECK_AUTO_PROMOTE", "maybe", "it must be true or false."),
        ("VIBECHECK_DEPLOYMENT", "-x", "letter or digit first."),
        ("VIBECHECK_DEPLOYMENT", "a/b", "1 to 64 letters"),
        ("VIBECHECK_IMAGES_URL", "s3:/bucket/folder", "with two slashes."),
        ("VIBECHECK_IMAGES_URL", "s3:bucket", "with two slashes."),
        ("COMET_URL_OVERRIDE", "comet.example.org", "https:// or http://."),
        ("VIBECHECK_THREADS", "0", "greater than or equal to 1"),
        ("VIBECHECK_THREADS", "17", "less than or equal to 16"),
        ("VIBECHECK_THREADS", "1.5", "valid integer"),
        ("VIBECHECK_AUDIT_SHARE", "-0.1", "greater than or equal to 0"),
        ("VIBECHECK_AUDIT_SHARE", "25", "less than or equal to 1"),
        ("VIBECHECK_AUDIT_SHARE", "nan", "less than or equal to 1"),
        ("VIBECHECK_AUDIT_SHARE", "a quarter", "valid number"),
        ("VIBECHECK_RETENTION_DAYS", "0", "greater than or equal to 1"),
        ("VIBECHECK_RETENTION_DAYS", "3651", "less than or equal to 3650"),
        ("VIBECHECK_ACCESS_TOKEN", "a-token-of-thirty-one-characters"[:31], "32 characters"),
        ("VIBECHECK_ACCESS_TOKEN", "with a space in it, though it is long", "letters, digits"),
        ("VIBECHECK_LABELLERS", "lea@example.org, example.org", "'example.org' is neither"),
        ("VIBECHECK_TRAINERS", "@", "'@' is neither"),
    ],
)
@pytest.mark.parametrize("source", ["environment", "dotenv", "secrets"])
def test_invalid_value_is_refused_with_its_name(source, name, value, words, monkeypatch):
    if source == "environment":
        monkeypatch.setenv(name, value)
    elif source == "dotenv":
        write(DOTENV, f"{name}={value}")
    else:
        write(PROJECT, f'{name} = "{value}"')
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    sentence = str(caught.value)
    assert sentence.startswith(f"These settings cannot be used: {name}: ")
    assert words in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert isinstance(caught.value, VibeCheckError)


def test_all_invalid_values_are_reported_at_once(monkeypatch):
    monkeypatch.setenv("VIBECHECK_THREADS", "0")
    write(PROJECT, "VIBECHECK_RETENTION_DAYS = 0")
    with pytest.raises(SettingsError, match=r"VIBECHECK_THREADS: .*; VIBECHECK_RETENTION_DAYS: "):
        Settings.load()


def test_valid_value_overrides_an_invalid_one_of_a_lower_source(monkeypatch):
    write(PROJECT, "VIBECHECK_THREADS = 0")
    monkeypatch.setenv("VIBECHECK_THREADS", "2")
    assert Settings.load().threads == 2


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (PROJECT, "COMET_API_KEY = hunter2"),
        (PROJECT, "COMET_API_KEY"),
        (PROJECT, 'A = "1"\nA = "2"'),
        (PROJECT, b"\xff\xfe\x00"),
        (HOME, 'COMET_API_KEY = "hunter2'),
        (DOTENV, b"COMET_API_KEY=\xff\xfe"),
    ],
)
def test_broken_settings_file_is_reported_without_its_content(path, text):
    write(path, text)
    with pytest.raises(SettingsError, match=r"^A settings file cannot be read: .+\.$") as caught:
        Settings.load()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "text", "sentence"),
    [
        (
            DOTENV,
            "VIBECHECK_TRAINER=a@b.c",
            "VIBECHECK_TRAINER is not a setting. Did you mean VIBECHECK_TRAINERS?",
        ),
        (
            DOTENV,
            '# Two threads\nVIBECHECK_THREADS=2\n\n\n  VIBECHECK_RETENTION_DAYS="7\n',
            "Line 5 of .env is ignored: write it as NAME=value.",
        ),
        (DOTENV, "VIBECHECK_AUTO_PROMOTE\n", "Line 1 of .env is ignored: write it as NAME=value."),
        (
            PROJECT,
            'spotify_client_id = "x"',
            "spotify_client_id is not a setting. Did you mean SPOTIPY_CLIENT_ID?",
        ),
        (PROJECT, 'VIBECHECK_COLOUR = "x"', "VIBECHECK_COLOUR is not a setting."),
        (
            PROJECT,
            '[auth]\nclient_id = "x"\nVIBECHECK_TRAINERS = "a@b.c"',
            "VIBECHECK_TRAINERS is ignored below [auth] in the secrets: put it above all sections.",
        ),
        (
            PROJECT,
            'VIBECHECK_TRAINERS = ["a@b.c", "d@e.f"]',
            "VIBECHECK_TRAINERS is ignored: in the secrets it has to be text in quotes, or a number.",
        ),
    ],
)
def test_a_setting_that_is_misspelt_or_misplaced_is_pointed_out(path, text, sentence):
    write(path, text)
    assert without_effect() == [sentence]


def test_no_other_name_is_taken_for_a_setting(monkeypatch):
    for name in (
        "VIBECHECK_TEST_CHROMIUM",
        "VIBECHECK_ENVIRONMENT_ONLY",
        "COMET_LOGGING_FILE",
        "HF_TOKEN_PATH",
    ):
        monkeypatch.setenv(name, "x")
    write(DOTENV, "VIBECHECK_THREADS=2\nAWS_ACCESS_KEY_ID=x")
    write(PROJECT, 'comet_api_key = "x"\nVIBECHECK_AUTO_PROMOTE = true\n[auth]\nclient_id = "x"')
    assert without_effect() == []


def test_names_of_libraries_become_environment_variables_unless_they_are_set(monkeypatch):
    names = ("AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "HF_ENDPOINT")
    for name in names:
        monkeypatch.setenv(name, "of the environment")
    for name in names[:2]:
        monkeypatch.delenv(name)
    write(
        PROJECT,
        '"a name" = 1\nVIBECHECK_THREADS = 2\n' + "\n".join(f'{name} = "of the secrets"' for name in names),
    )
    write(DOTENV, "AWS_ACCESS_KEY_ID=of .env\nTWILIO_AUTH_TOKEN=x")
    Settings.load()
    assert [os.environ[name] for name in names] == ["of .env", "of the secrets", "of the environment"]
    assert not {"VIBECHECK_THREADS", "TWILIO_AUTH_TOKEN"} & {*os.environ}


def test_a_broken_secrets_file_is_named():
    write(PROJECT, "COMET_API_KEY")
    with pytest.raises(SettingsError, match=r"\.streamlit/secrets\.toml: "):
        Settings.load()


def test_an_empty_secret_is_no_setting():
    write(PROJECT, 'COMET_API_KEY = ""\nVIBECHECK_THREADS = ""')
    loaded = Settings.load()
    assert (loaded.comet_api_key, loaded.threads) == (None, 1)


def test_the_password_of_a_database_is_not_shown():
    assert "hunter2" not in repr(Settings(database_url="postgresql+psycopg://me:hunter2@host/db"))


def test_settings_named_like_a_secret_are_secret():
    named = {f for f in Settings.model_fields if re.search("secret|token|password|key$", f)}
    assert len(named) >= 4
    assert named | {"alert_url"} == set(SECRET_FIELDS)


@pytest.mark.parametrize("field", SECRET_FIELDS)
def test_a_secret_is_never_written_out(field, monkeypatch):
    secret = "https://hooks.example/" * (field == "alert_url") + "hunter2-" * 4
    monkeypatch.setenv(environment_name(field), secret)
    loaded = Settings.load()
    assert getattr(loaded, field).get_secret_value() == secret
    for text in (repr(loaded), str(loaded), f"{loaded}", loaded.model_dump_json(), str(loaded.model_dump())):
        assert "hunter2" not in text


@pytest.mark.parametrize("name", ["VIBECHECK_ACCESS_TOKEN", "VIBECHECK_ALERT_URL"])
def test_a_secret_that_is_refused_is_not_shown(name, monkeypatch):
    monkeypatch.setenv(name, "hunter2")
    with pytest.raises(SettingsError, match=name) as caught:
        Settings.load()
    assert "hunter2" not in str(caught.value)


def test_settings_are_immutable(monkeypatch):
    loaded = Settings.load()
    with pytest.raises(ValidationError, match="frozen"):
        loaded.threads = 2
    monkeypatch.setenv("VIBECHECK_THREADS", "3")
    assert loaded.threads == 1
    assert pickle.loads(pickle.dumps(loaded)) == loaded  # crosses to another process


def test_records_and_pictures_go_to_the_data_folder(clean_place):
    loaded = Settings(data=Path("kept"))
    here = clean_place / "project" / "kept"
    assert loaded.records_url == f"sqlite:///{here / 'vibecheck.db'}"
    assert loaded.images_url == str(here / "images")
    elsewhere = Settings(data=clean_place / "far")
    assert elsewhere.records_url == f"sqlite:///{clean_place}/far/vibecheck.db"


def test_database_url_setting_is_used_for_the_records():
    url = "postgresql+psycopg://me@db.example/vibecheck"
    assert Settings(database_url=url).records_url == url


@pytest.mark.parametrize("name", ["a b", "100%20", "what?", "#1", "ünï", "a::b"])
def test_database_and_pictures_lie_inside_a_data_folder_of_any_name(tmp_path, name):
    from vibecheck.records.db.connect import open_database
    from vibecheck.records.pictures import Pictures

    settings = Settings(data=tmp_path / name)
    open_database(settings.records_url).dispose()
    assert (tmp_path / name / "vibecheck.db").is_file()
    Pictures(settings.images_url).put("0" * 32, b"a picture")
    assert [path.read_bytes() for path in (tmp_path / name / "images").rglob("*.jpg")] == [b"a picture"]
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("home", "project")] == [name]


def test_tilde_is_expanded_in_every_path_setting():
    write(
        DOTENV,
        "VIBECHECK_DATA=~/data\nVIBECHECK_IMAGES_URL=~/images\nVIBECHECK_MODEL=~/model\n"
        "VIBECHECK_DATABASE_URL=sqlite:///~/records.db\n",
    )
    loaded, home = Settings.load(), str(Path.home())
    assert (loaded.data, loaded.images_url) == (Path.home() / "data", f"{home}/images")
    assert (loaded.model, loaded.records_url) == (f"{home}/model", f"sqlite:///{home}/records.db")


@pytest.mark.parametrize(
    ("address", "right"),
    [
        ("https://hooks.slack.com/services/T/B/x", True),
        ("http://127.0.0.1:8080/alert?key=1", True),
        ("hooks.slack.com/services/T/B/x", False),
        ("ftp://example.com/x", False),
        ("file:///etc/passwd", False),
        ("https:///path", False),
    ],
)
def test_alerts_go_to_a_web_address(address, right, monkeypatch):
    monkeypatch.setenv("VIBECHECK_ALERT_URL", address)
    if right:
        assert Settings.load().alert_url.get_secret_value() == address
    else:
        with pytest.raises(SettingsError, match="VIBECHECK_ALERT_URL: it must be an address"):
            Settings.load()
