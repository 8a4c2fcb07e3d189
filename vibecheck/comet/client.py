"""A thin layer over Comet's SDK. Each call returns once Comet has answered, or raises CometError.

`APIExperiment` writes synchronously. Only `comet_ml.start` can create an experiment under a chosen key; it
does not report success, so that is checked afterwards.
"""

import math
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vibecheck.comet import layout
from vibecheck.comet.http import limit_requests, refuse_others
from vibecheck.comet.layout import Asset, Place
from vibecheck.comet.sdk_errors import logged_by, sdk_errors
from vibecheck.errors import CometError, CometRefuses, CometRejected, CometUnavailable
from vibecheck.settings import Settings

if TYPE_CHECKING:
    from comet_ml import CometExperiment
    from comet_ml.api import API, APIExperiment

# The SDK's settings. Its own retries would repeat uploads without checking whether the first one arrived,
# and delay the report of what is wrong.
SDK = {
    "COMET_HTTP_SESSION_RETRY_TOTAL": "0",
    "COMET_GET_OR_ADD_EXPERIMENT_RETRY_TOTAL": "1",
    "COMET_GET_OR_ADD_EXPERIMENT_RETRY_CONNECT": "1",
    "COMET_TIMEOUT_HTTP": "10",
    "COMET_TIMEOUT_API": "10",
    "COMET_TIMEOUT_FILE_UPLOAD": "30",
    "COMET_TIMEOUT_FILE_DOWNLOAD": "30",
    "COMET_DISABLE_AUTO_LOGGING": "1",
    "COMET_ERROR_TRACKING_ENABLE": "0",  # it would report to a service of its own
    "COMET_LOGGING_CONSOLE": "CRITICAL",
    # No copy of an experiment in a temporary folder: what did not arrive is sent again from the outbox.
    "COMET_FALLBACK_STREAMER_FALLBACK_TO_OFFLINE_MIN_BACKEND_VERSION": "1000.0.0",
}
# A list of a long day is large: 10,000 predictions are 16 MB.
LIST_SECONDS = 120

PAGE = 1000
# Bytes of an asset that is read into memory: a record of a model is the largest.
LARGEST_ASSET = 100_000_000
CHUNK = 1 << 16
DOWNLOAD_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Account:
    """The destination of records: the key's user, the workspace, the project, and the server's address."""

    user: str
    workspace: str
    project: str
    url: str


class Comet:
    """One deployment's experiments. Opened by `Comet.open`; thread-safe."""

    def __init__(self, api: "API", account: Account, deployment: str) -> None:
        self.api = api
        self.account = account
        self.deployment = deployment
        self._known: dict[Place, APIExperiment] = {}

    @classmethod
    def open(cls, settings: Settings) -> "Comet":
        """Asks Comet whose key it is. Raises CometError.

        Loads the SDK, which takes a second, and sets its environment for this process.
        """
        if settings.comet_api_key is None:
            raise CometRefuses("No Comet account: records stay on this machine until COMET_API_KEY is set.")
        os.environ.update({name: os.environ.get(name, value) for name, value in SDK.items()})
        if settings.comet_url_override:
            os.environ["COMET_URL_OVERRIDE"] = settings.comet_url_override
        from comet_ml.api import API

        with sdk_errors("look at the account"):
            limit_requests()
            api = API(api_key=settings.comet_api_key.get_secret_value(), cache=False)
            refuse_others(api)
            details = api.get_account_details()
            user, default = str(details["userName"]), str(details["defaultWorkspaceName"])
            workspace = settings.comet_workspace or default
            names = [default, *(api.get_workspaces() or ())]
            url = str(api.server_url).rstrip("/")
        if workspace not in names:
            raise CometRefuses(
                f"{user} has no Comet workspace {workspace!r}. Set COMET_WORKSPACE to one of: "
                f"{', '.join(sorted(set(names)))}."
            )
        return cls(api, Account(user, workspace, settings.comet_project_name, url), settings.deployment)

    def project_exists(self) -> bool:
        """Whether the project exists; the first record creates it."""
        with sdk_errors("look for the project"):
            return self.account.project in (self.api.get_projects(self.account.workspace) or ())

    def days(self) -> list[date]:
        """The days for which this deployment has an experiment, newest first: one request per thousand."""
        found: set[date] = set()
        for page in range(1, 1000) if self.project_exists() else ():
            with sdk_errors("list the experiments"):
                experiments = self.api.get_experiments(
                    self.account.workspace,
                    self.account.project,
                    page=page,
                    page_size=PAGE,
                    sort_by="startTime",
                    sort_order="desc",
                )
            for experiment in experiments:
                if (day := layout.day_of_key(self.deployment, experiment.key)) is not None:
                    self._known[day] = experiment
                    found.add(day)
            if not experiments:  # a page may be shorter than asked for
                break
        return sorted(found, reverse=True)

    def assets(self, place: Place) -> list[Asset]:
        """All assets of a place, in one request; none if it has no experiment.

        Comet may return an empty list by mistake, so a missing asset proves nothing.
        """
        experiment = self._find(place)
        if experiment is None:
            return []
        try:
            with self._errors("list the assets", place):
                listed = experiment.get_asset_list(timeout=LIST_SECONDS)
        except CometRejected as error:  # this says nothing about the record that needs the list
            raise CometUnavailable(str(error)) from error
        if not isinstance(listed, list):
            raise CometUnavailable("Comet answered a request for the list of assets without a list.")
        return [asset for item in listed if (asset := Asset.of(item)) is not None]

    def has(self, place: Place, name: str) -> bool:
        """Whether there is an asset of this name."""
        experiment = self._find(place)
        if experiment is None:
            return False
        with self._errors("look for an asset", place):
            return bool(experiment.get_assets_by_name(name))

    def put(self, place: Place, name: str, content: bytes, metadata: Mapping[str, Any], kind: str) -> None:
        """Uploads an asset; `kind` is "image" or "asset". On return Comet has it."""
        experiment = self.experiment(place)
        with tempfile.TemporaryDirectory(prefix="vibecheck-") as folder:
            file = Path(folder) / "asset"  # the SDK uploads files only
            file.write_bytes(content)
            with self._errors(f"upload {name}", place):
                answer = experiment.log_asset(str(file), name=name, ftype=kind, metadata=dict(metadata))
        if not isinstance(answer, Mapping) or not answer.get("assetId"):
            raise CometUnavailable(f"Comet answered the upload of {name} without confirming it.")

    def get(self, place: Place, asset: Asset, limit: int = LARGEST_ASSET) -> bytes:
        """The content of an asset. Raises CometRejected if it has more than `limit` bytes."""
        return b"".join(self.chunks(place, asset, limit, DOWNLOAD_SECONDS))

    def chunks(self, place: Place, asset: Asset, limit: int, seconds: float = math.inf) -> Iterator[bytes]:
        """The content of an asset, piece by piece, in at most this time. Raises CometRejected as `get`."""
        too_large = CometRejected(f"{asset.name} has more than {limit:,} bytes.")
        if asset.size > limit:
            raise too_large
        experiment = self._find(place)
        if experiment is None:
            raise CometRejected(f"The experiment of {place} was deleted in Comet.")
        count, end = 0, time.monotonic() + seconds
        with (
            sdk_errors(f"download {asset.name}"),
            experiment.get_asset(asset.id, return_type="response", stream=True) as answer,
        ):
            for chunk in answer.iter_content(CHUNK):
                count += len(chunk)
                if count > limit:
                    raise too_large
                if time.monotonic() > end:
                    raise CometUnavailable(f"{asset.name} did not arrive within {seconds} s.")
                yield chunk

    def delete(self, place: Place, *assets: Asset) -> None:
        """Deletes those of the assets that exist."""
        from comet_ml.exceptions import NotFound

        experiment = self._find(place)
        if experiment is None:
            return
        for asset in assets:
            with self._errors(f"delete {asset.name}", place), suppress(NotFound):
                experiment.delete_asset(asset.id)

    def metric(self, place: Place, name: str, value: float, at: datetime) -> None:
        """Adds a point to a metric."""
        experiment = self.experiment(place)
        with self._errors(f"log {name}", place):
            experiment.log_metric(name, value, timestamp=at.timestamp())

    def has_point(self, place: Place, name: str, at: datetime) -> bool:
        """Whether a metric has a point at this time, to the millisecond."""
        experiment = self._find(place)
        if experiment is None:
            return False
        with self._errors(f"read {name}", place):
            points = experiment.get_metrics(name) or []
            wanted = at.timestamp() * 1000
            return any(abs(float(point.get("timestamp") or 0) - wanted) < 1 for point in points)

    def _find(self, place: Place) -> "APIExperiment | None":
        """The experiment of a place, or None."""
        if place not in self._known:
            key = layout.experiment_key(self.deployment, place)
            with sdk_errors("look for an experiment"):
                found = self.api.get_experiment_by_key(key)
            if found is None:
                return None
            self._known[place] = found
        return self._known[place]

    def experiment(self, place: Place) -> "APIExperiment":
        """The experiment of a place, created if needed."""
        found = self._find(place)
        if found is None:
            try:
                with logged_by("comet_ml") as said, sdk_errors("create an experiment"), self.live(place):
                    pass
            except CometRejected as error:
                # The experiment was rejected, not the record.
                raise _not_created(str(error), self.account) from error
            found = self._find(place)
            if found is None:
                raise _not_created(" ".join(each.getMessage() for each in said.buffer), self.account)
        return found

    @contextmanager
    def live(self, place: Place) -> "Iterator[CometExperiment]":
        """A live experiment, which ends with the block. It uploads in the background: check what arrived."""
        import comet_ml

        config = comet_ml.ExperimentConfig(
            name=f"{self.deployment} {place}",
            tags=["production", self.deployment],
            log_code=False,
            log_graph=False,
            log_git_metadata=False,
            log_git_patch=False,
            log_env_details=False,
            auto_output_logging=False,
            auto_param_logging=False,
            auto_metric_logging=False,
            parse_args=False,
            display_summary_level=0,
        )
        experiment = comet_ml.start(
            api_key=self.api.api_key,
            workspace=self.account.workspace,
            project_name=self.account.project,
            experiment_key=layout.experiment_key(self.deployment, place),
            mode="get_or_create",
            online=True,
            experiment_config=config,
        )
        try:
            yield experiment
        finally:
            # An experiment that is not alive sends nothing, and `end` would wait for it.
            if experiment.alive:
                experiment.end()

    def _errors(self, doing: str, place: Place) -> AbstractContextManager[None]:
        """`sdk_errors` for a request to the experiment of a place, which may have been deleted meanwhile."""

        def gone() -> bool:
            self._known.pop(place, None)
            return self._find(place) is None

        return sdk_errors(doing, gone)


def _not_created(said: str, account: Account) -> CometError:
    place = f"{account.workspace}/{account.project}"
    if any(word in said.lower() for word in ("maximum", "limit", "quota", "exceeded")):
        return CometRefuses(f"A limit of the Comet plan is reached in {place}: raise it, or free some space.")
    return CometUnavailable(
        f"Comet created no experiment in {place}. If that persists, check COMET_PROJECT_NAME, and that the "
        "key may write there."
    )
