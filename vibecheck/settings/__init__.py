"""Every setting, in one class.

A setting comes from, in this order: the environment, a file `.env` in the working directory,
Streamlit's secrets (`.streamlit/secrets.toml` of the project, then of the home directory).
VibeCheck's own are named `VIBECHECK_…`; those of the services keep the services' names.
"""

import difflib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from vibecheck.access.passes import check_token
from vibecheck.access.roles import guest_list
from vibecheck.errors import SettingsError
from vibecheck.settings.files import DOTENV, broken_lines, read_dotenv, read_secrets, scalars
from vibecheck.vision.model_source import Source, parse_source

# Set for child processes that get their settings by the environment: they read neither .env nor secrets.
ENVIRONMENT_ONLY = "VIBECHECK_ENVIRONMENT_ONLY"


def export_others() -> None:
    """Set what .env and the secrets hold besides our settings as environment variables, unless they are set.

    Libraries look there for theirs, such as AWS_ACCESS_KEY_ID. Raises SettingsError.
    """
    ours = setting_names()
    for name, value in scalars(read_secrets() | read_dotenv()).items():
        if name.isidentifier() and name.upper() not in ours and "\0" not in value:
            os.environ.setdefault(name, value)


def without_effect() -> list[str]:
    """A sentence for each entry of any source that was meant as a setting, but is ignored.

    Raises SettingsError if a file cannot be read.
    """
    ours, secrets = setting_names(), read_secrets()
    found = [f"Line {line} of {DOTENV} is ignored: write it as NAME=value." for line in broken_lines()]
    for name in sorted({*os.environ, *read_dotenv(), *secrets} - {ENVIRONMENT_ONLY}):
        near = difflib.get_close_matches(name.upper(), ours, 1, 0.88)
        if name.upper() not in ours and (near or re.match("VIBECHECK_(?!TEST_)", name, re.I)):
            found.append(f"{name} is not a setting." + (f" Did you mean {near[0]}?" if near else ""))
    for name, value in secrets.items():
        if name.upper() in ours and not isinstance(value, str | int | float):
            found.append(f"{name} is ignored: in the secrets it has to be text in quotes, or a number.")
        for inner in value if isinstance(value, dict) else ():
            if inner.upper() in ours:
                found.append(f"{inner} is ignored below [{name}] in the secrets: put it above all sections.")
    return found


def _checked(check: Callable[[str], object]) -> AfterValidator:
    """Refuse a value for which `check` raises ValueError."""

    def validate(value: Any) -> Any:
        check(value.get_secret_value() if isinstance(value, SecretStr) else value)
        return value

    return AfterValidator(validate)


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("it must be an address that begins with https:// or http://")


def _check_storage(place: str) -> None:
    if re.match(r"\w{2,}:(?!//|:)", place):  # it would be taken for a folder
        raise ValueError("it must be a folder, or a URL such as s3://bucket/folder, with two slashes")


def _check_deployment(name: str) -> None:
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}", name):
        raise ValueError(
            "it must be 1 to 64 letters (A to Z), digits, spaces and . _ -, with a letter or digit first"
        )


Guests = Annotated[str, _checked(guest_list)] | None


def _service(name: str, description: str, default: str | None = None) -> Any:
    """A setting of a service, under the name that the service's own documentation gives it."""
    return Field(default, validation_alias=name, description=description)


class Settings(BaseSettings):
    """All settings with their defaults; `Settings.load()` is the way to get one."""

    model_config = SettingsConfigDict(
        env_prefix="VIBECHECK_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        validate_default=True,
    )

    data: Path = Field(Path("data"), description="Folder for records, pictures and models.")
    database_url: str | None = Field(
        None,
        repr=False,  # it may hold a password
        description="SQLAlchemy URL of the records' database (`postgresql+psycopg://…`). "
        "Default: SQLite in the data folder.",
    )
    images: Annotated[str, _checked(_check_storage)] | None = Field(
        None,
        validation_alias="VIBECHECK_IMAGES_URL",
        repr=False,  # it may hold a password
        description="Storage of kept pictures: a folder, or an fsspec URL (`s3://bucket/folder`). "
        "Default: `images` in the data folder.",
    )
    model: Annotated[str, _checked(parse_source)] = Field(
        "dima806/facial_emotions_image_detection",
        description="The first model of a new installation: a Hub id (`owner/name`, `owner/name@revision`), "
        "a folder, or `embedded`. Later, the champion runs.",
    )
    threads: int = Field(1, ge=1, le=16, description="CPU threads per model inference.")
    video: Literal["auto", "webrtc", "websocket"] = Field(
        "auto",
        description="Transport of live video: `auto` (WebRTC, or WebSocket if that does not work), "
        "`webrtc` or `websocket`.",
    )
    audit_share: float = Field(
        0.25,
        ge=0,
        le=1,
        description='Share of vibe checks, drawn at random, that ask "Was this right?" to measure the '
        "accuracy.",
    )
    retention_days: int = Field(
        90, ge=1, le=3650, description="Days after which a vibe check and its picture are deleted."
    )
    auto_promote: bool = Field(
        False,
        description="Promote a challenger automatically once it is proved better, and roll back once the "
        "previous champion is.",
    )
    deployment: Annotated[str, _checked(_check_deployment)] = Field(
        "main",
        description="Name of this deployment in Comet. Copies of the app that share a database share it; "
        "every other deployment needs its own.",
    )

    access_token: Annotated[SecretStr, _checked(check_token)] | None = Field(
        None,
        description="Token of the access link: 32 or more random characters. Default: a new one at each "
        "start.",
    )
    alert_url: Annotated[SecretStr, _checked(_check_address)] | None = Field(
        None,
        description="Webhook for alerts: retraining is advisable, a model is proved better, the input "
        "drifts, or Comet rejects records. Each is one POST of JSON, as for Slack's incoming webhooks.",
    )
    labellers: Guests = Field(
        None,
        description="Who may label all kept pictures after signing in: e-mails or @domains, separated by "
        "commas.",
    )
    analysts: Guests = Field(None, description="Who may also see the statistics.")
    trainers: Guests = Field(None, description="Who may also train and promote models.")

    spotify_client_id: str | None = _service(
        "SPOTIPY_CLIENT_ID", "Client id of a Spotify app, to search for playlists. Default: catalogue only."
    )
    spotify_client_secret: SecretStr | None = _service(
        "SPOTIPY_CLIENT_SECRET", "Client secret of the Spotify app."
    )
    hf_token: SecretStr | None = _service("HF_TOKEN", "Hugging Face token, for gated or private models.")
    comet_api_key: SecretStr | None = _service(
        "COMET_API_KEY", "API key of the Comet account that gets a copy of the records."
    )
    comet_workspace: str | None = _service("COMET_WORKSPACE", "Comet workspace. Default: the account's.")
    comet_project_name: str = _service(
        "COMET_PROJECT_NAME", "Comet project; created if it is missing.", "vibecheck"
    )
    comet_url_override: Annotated[str, _checked(_check_address)] | None = _service(
        "COMET_URL_OVERRIDE", "Your own Comet server (`https://comet.example/clientlib/`)."
    )
    twilio_account_sid: str | None = _service(
        "TWILIO_ACCOUNT_SID", "Twilio account, for a camera relay (TURN) through firewalls."
    )
    twilio_auth_token: SecretStr | None = _service("TWILIO_AUTH_TOKEN", "Twilio auth token.")
    cloudflare_turn_key_id: str | None = _service(
        "CLOUDFLARE_TURN_KEY_ID", "Cloudflare TURN key, for a camera relay; preferred to Twilio."
    )
    cloudflare_turn_key_api_token: SecretStr | None = _service(
        "CLOUDFLARE_TURN_KEY_API_TOKEN", "API token of the Cloudflare TURN key."
    )

    @field_validator("data", "database_url", "images", "model", mode="before")
    @classmethod
    def _expand_home(cls, value: object) -> object:
        """A leading ~ is the home folder, as in a shell: .env and secrets see no shell."""
        if not isinstance(value, str | Path):
            return value
        scheme, path = re.split(r"^(sqlite(?:\+\w+)?:///|)", str(value), maxsplit=1)[1:]
        return scheme + os.path.expanduser(path)  # noqa: PTH111  # leaves ~ if there is no home

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        if os.environ.get(ENVIRONMENT_ONLY):
            return init_settings, env_settings
        written = (*scalars(read_secrets()).items(), *read_dotenv().items())
        values = {name.upper(): value for name, value in written}
        names = {field: environment_name(field) for field in settings_cls.model_fields}
        found = {field: values[name] for field, name in names.items() if name in values}
        return init_settings, env_settings, InitSettingsSource(settings_cls, found)

    @classmethod
    def load(cls) -> "Settings":
        """Read all sources. Raises SettingsError that names each setting that cannot be used."""
        try:
            if not os.environ.get(ENVIRONMENT_ONLY):
                export_others()
            return cls()
        except ValidationError as error:
            problems = "; ".join(
                f"{environment_name(str(problem['loc'][0]))}: {_in_words(problem['msg'])}"
                for problem in error.errors()
            )
            raise SettingsError(f"These settings cannot be used: {problems}.") from error

    @property
    def records_url(self) -> str:
        """SQLAlchemy URL of the records: the setting, or SQLite in the data folder."""
        if self.database_url:
            return self.database_url
        from sqlalchemy import URL  # takes long to import, and not everything needs records

        # A folder's name may hold what means something in a URL: %, ? and #.
        file = str(self.data.absolute() / "vibecheck.db")
        return URL.create("sqlite", database=file).render_as_string(hide_password=False)

    @property
    def sends(self) -> bool:
        """Whether there is a Comet account to which the records are sent."""
        return self.comet_api_key is not None

    @property
    def source(self) -> Source:
        """Where the first model comes from."""
        return parse_source(self.model)

    @property
    def images_url(self) -> str:
        """Where kept pictures go, as fsspec takes it: a path or a URL."""
        return self.images or str(self.data.absolute() / "images")


def _in_words(problem: str) -> str:
    """Pydantic's message without its jargon."""
    said = problem.removeprefix("Value error, ").partition(", unable to")[0]
    return said.replace("Input should be", "it must be").replace("a valid boolean", "true or false")


def setting_names() -> set[str]:
    """The environment variables of all settings."""
    return {environment_name(field) for field in Settings.model_fields}


def environment_name(field: str) -> str:
    """The environment variable that sets `field` of Settings (or the field's alias itself)."""
    info = Settings.model_fields.get(field)
    if info is None:
        return field.upper()
    return str(info.validation_alias or f"VIBECHECK_{field}").upper()
