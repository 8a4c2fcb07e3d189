"""A Comet server on loopback: as much of one as the real SDK asks for, and what may go wrong with it.

Proved against comet_ml 3.58. What it keeps can be looked at in `experiments`, what it was asked in
`log`. `fault` makes it fail: with a status, slowly, or by hanging up before or after it did what it
was asked. It deletes, refuses keys that it does not know, has workspaces and a registry of models.
"""

import gzip
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

WORKSPACE = "standin"
Answer = tuple[int, Any]
MISSING: Answer = (400, {"msg": "No such experiment", "code": 400, "sdk_error_code": 0})
NO_MODEL: Answer = (400, {"msg": "No such registry model", "code": 400, "sdk_error_code": 0})
OK = {"msg": "ok", "code": 200}


@dataclass
class StoredAsset:
    """An uploaded asset; `metadata` is its text as received."""

    id: str
    name: str
    kind: str
    metadata: str | None
    content: bytes
    created_at: int
    group: str | None = None  # the model that the file belongs to


@dataclass
class Experiment:
    """An experiment and all that was logged to it."""

    key: str
    project: str
    started: int
    name: str = ""
    tags: list[str] = field(default_factory=list)
    assets: dict[str, StoredAsset] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)

    def named(self, name: str) -> list[StoredAsset]:
        """The assets of this name."""
        return [asset for asset in list(self.assets.values()) if asset.name == name]


@dataclass
class Fault:
    """What goes wrong, `times` times, with requests whose path holds `path`.

    `seconds`: it waits first. `status`, `body`, `headers`: it answers this and does nothing. `cut`:
    "before" hangs up amid the upload, "after" does what it was asked and hangs up without an answer.
    `trickle`: it sends a byte of the body, and then another one after so many seconds.
    """

    path: str
    times: int = 1
    status: int | None = None
    body: dict[str, Any] | bytes = field(default_factory=lambda: {"msg": "injected"})
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    cut: str = ""
    trickle: float = 0.0


class CometStandin:
    """The state of the server."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: set[str] | None = None  # None: any key is known
        self.workspaces = [WORKSPACE]
        self.page_limit = 1000  # experiments on a page of their list, whatever is asked for
        self.experiments: dict[str, Experiment] = {}
        self.registry: dict[str, list[dict[str, Any]]] = {}  # versions by the name of the model
        self.faults: list[Fault] = []
        self.log: list[tuple[str, str, dict[str, str]]] = []
        self.lock = threading.RLock()
        self._last = 0

    def fault(self, path: str, **what: Any) -> None:
        """Has requests whose path holds `path` go wrong; see Fault."""
        self.faults.append(Fault(path, **what))

    def names(self) -> list[str]:
        """The names of all assets of all experiments, sorted."""
        with self.lock:
            return sorted(a.name for e in self.experiments.values() for a in e.assets.values())

    def points(self, name: str) -> list[float]:
        """The values of a metric, over all experiments."""
        with self.lock:
            metrics = [m for e in self.experiments.values() for m in e.metrics]
        return [float(m["metricValue"]) for m in metrics if m["metricName"] == name]

    def asked(self, path: str) -> int:
        """How many requests had this in their path."""
        return sum(path in asked for _, asked, _ in self.log)

    def now(self) -> int:
        """Milliseconds, and never the same twice."""
        self._last = max(self._last + 1, int(time.time() * 1000))
        return self._last

    def next_fault(self, path: str) -> Fault | None:
        """The fault that meets this request, which is then used up."""
        for fault in self.faults:
            if fault.path in path and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def experiment(self, key: str, project: str) -> Experiment:
        """The experiment with this key, made where there is none."""
        return self.experiments.setdefault(key, Experiment(key, project, self.now()))

    def answer(self, path: str, query: dict[str, str], headers: Any, raw: bytes) -> Answer:
        """What the server says, having done it."""
        call = re.sub(r"^(clientlib|api/rest/v2)/", "", re.sub("/+", "/", path).strip("/"))
        if call == "write/experiment/upload-asset":
            form = _multipart(headers["Content-Type"], raw)
            return self._known(headers) or self._upload(query["experimentKey"], query, form)
        if call == "asset/upload":  # from the background threads of an open experiment
            key = query.get("experimentId") or query.get("experimentKey") or ""
            return self._upload(key, query, _multipart(headers["Content-Type"], raw))
        body = _json(headers, raw)
        if path.strip("/").startswith("api/") and (refused := self._known(headers)):
            return refused
        handler = CALLS.get(call)
        if handler is None:
            return 200, OK
        return handler(self, query | {k: v for k, v in body.items() if isinstance(v, str)}, body)

    def _known(self, headers: Any) -> Answer | None:
        if self.keys is None or headers.get("Authorization") in self.keys:
            return None
        return 401, {"msg": "API key is not registered", "code": 401}

    def _upload(self, key: str, query: dict[str, str], form: dict[str, bytes]) -> Answer:
        experiment = self.experiments.get(key)
        if experiment is None:
            return MISSING
        metadata = form.get("metadata")
        asset = StoredAsset(
            uuid4().hex,
            query["fileName"],
            query.get("type", "asset"),
            metadata.decode() if metadata is not None else None,
            form["file"],
            self.now(),
            query.get("groupingName"),
        )
        experiment.assets[asset.id] = asset
        return 200, {"assetId": asset.id, "imageId": asset.id, "link": ""}


Call = Callable[[CometStandin, dict[str, str], dict[str, Any]], Answer]
CALLS: dict[str, Call] = {}


def call(path: str) -> Callable[[Call], Call]:
    """Has a function answer a path."""

    def keep(function: Call) -> Call:
        CALLS[path] = function
        return function

    return keep


@call("isAlive/ver")
def _version(comet, query, body):
    return 200, OK | {"version": "4.4.0"}


@call("logger/add/run")
def _add(comet, query, body):
    if comet.keys is not None and body.get("apiKey") not in comet.keys:
        return 400, {"msg": "API key is not registered", "code": 400, "sdk_error_code": 90212}
    if body.get("teamName") not in (None, *comet.workspaces):
        return 400, {"msg": "no such workspace", "code": 400, "sdk_error_code": 90219}
    if body["experimentKey"] in comet.experiments and not body.get("getOrCreateEnabled"):
        return 400, {"msg": "experiment already exists", "sdk_error_code": 90999}
    return 200, _handshake(comet, comet.experiment(body["experimentKey"], body.get("projectName")))


@call("logger/get/run")
def _resume(comet, query, body):
    experiment = comet.experiments.get(body["previousExperiment"])
    if experiment is None:
        return 400, {"msg": "no such experiment", "sdk_error_code": 90210}
    return 200, _handshake(comet, experiment)


@call("status-report/update")
def _status(comet, query, body):
    return 200, {
        "is_alive_beat_duration_millis": 10000,
        "gpu_monitor_interval_millis": 30000,
        "cpu_monitor_interval_millis": 68000,
        "parameter_update_interval_millis": 60000,
        "pending_rpcs": False,
    }


@call("tags/add-tags-to-experiment")
def _tags(comet, query, body):
    comet.experiments[body["experimentKey"]].tags += body["addedTags"]
    return 200, OK


@call("account-details")
def _account(comet, query, body):
    return 200, {"userName": "somebody", "defaultWorkspaceName": comet.workspaces[0]}


@call("workspaces")
def _workspaces(comet, query, body):
    return 200, {"workspaceNames": comet.workspaces}


@call("projects")
def _projects(comet, query, body):
    projects = sorted({experiment.project for experiment in comet.experiments.values()})
    return 200, {"projects": [{"projectId": f"p-{name}", "projectName": name} for name in projects]}


@call("experiments")
def _experiments(comet, query, body):
    rows = [e for e in comet.experiments.values() if e.project == query["projectName"]]
    if not rows:
        return 404, {"msg": "no such project"}
    rows.sort(key=lambda e: e.started, reverse=query.get("sortOrder") == "desc")
    size = min(int(query.get("size", 1000)), comet.page_limit)
    start = (int(query.get("page", 1)) - 1) * size
    return 200, {"experiments": [_metadata(e) for e in rows[start : start + size]]}


@call("experiment/metadata")
def _one(comet, query, body):
    experiment = comet.experiments.get(query["experimentKey"])
    return (200, _metadata(experiment)) if experiment else MISSING


@call("experiment/asset/list")
def _assets(comet, query, body):
    experiment = comet.experiments.get(query["experimentKey"])
    return (200, {"assets": list(map(_row, experiment.assets.values()))}) if experiment else MISSING


@call("experiment/asset/get-by-name")
def _by_name(comet, query, body):
    experiment = comet.experiments.get(query["experimentKey"])
    if experiment is None:
        return MISSING
    return 200, {"assets": list(map(_row, experiment.named(query["assetName"])))}


@call("experiment/asset/get-asset")
def _content(comet, query, body):
    for experiment in comet.experiments.values():
        if query["assetId"] in experiment.assets:
            return 200, experiment.assets[query["assetId"]].content
    return 404, {"msg": "asset not found"}


@call("write/experiment/asset/delete")
def _delete(comet, query, body):
    experiment = comet.experiments.get(query["experimentKey"])
    if experiment is None or experiment.assets.pop(query["assetId"], None) is None:
        return 404, {"msg": "asset not found"}
    return 200, OK


@call("write/experiment/log-other")
def _other(comet, query, body):
    if body["key"] == "Name":
        comet.experiments[body["experimentKey"]].name = body["value"]
    return 200, OK


@call("write/experiment/metric")
def _metric(comet, query, body):
    experiment = comet.experiments.get(body["experimentKey"])
    if experiment is None:
        return MISSING
    experiment.metrics.append(body)
    return 200, OK


@call("experiment/metrics/get-metric")
def _points(comet, query, body):
    experiment = comet.experiments.get(query["experimentKey"])
    if experiment is None:
        return MISSING
    wanted = [m for m in experiment.metrics if m["metricName"] == query["metricName"]]
    return 200, {"metrics": [m | {"metricValue": str(m["metricValue"])} for m in wanted]}


@call("write/experiment/parameter")
def _parameter(comet, query, body):
    experiment = comet.experiments.get(body["experimentKey"])
    if experiment is None:
        return MISSING
    experiment.parameters[body["parameterName"]] = body["parameterValue"]
    return 200, OK


@call("write/registry-model/item/create")
def _register(comet, query, body):
    experiment = comet.experiments.get(body["experimentKey"])
    group = body["experimentModelName"]
    if experiment is None or not any(asset.group == group for asset in experiment.assets.values()):
        return 400, {"msg": "no such model in the experiment", "code": 400, "sdk_error_code": 0}
    if not re.fullmatch(r"\d+\.\d+\.\d+", body["version"]):
        return 400, {"msg": "not a semantic version", "code": 400, "sdk_error_code": 90304}
    versions = comet.registry.setdefault(body["registryModelName"], [])
    if any(each["version"] == body["version"] for each in versions):
        return 400, {"msg": "version already exists", "code": 400, "sdk_error_code": 0}
    about = {"experimentKey": experiment.key, "modelName": group}
    item = {"registryModelItemId": uuid4().hex, "experimentModel": about, "version": body["version"]}
    versions.insert(0, item | {"comment": body["versionComment"], "tags": body["tags"] or []})
    return 200, {"registryModelItemId": item["registryModelItemId"], "registryModelId": "r"}


@call("registry-model/details")
def _registered(comet, query, body):
    if query["modelName"] not in comet.registry:
        return NO_MODEL
    return 200, {"modelName": query["modelName"], "versions": comet.registry[query["modelName"]]}


@call("registry-model/compact-details")
def _registered_shortly(comet, query, body):
    return (200, {"registryModelId": "r"}) if query["modelName"] in comet.registry else NO_MODEL


@call("registry-model/item/download-instructions")
def _instructions(comet, query, body):
    versions = comet.registry.get(query["modelName"], [])
    found = [each for each in versions if each["version"] == query["version"]]
    if not found:
        return NO_MODEL
    about = found[0]["experimentModel"]
    assets = comet.experiments[about["experimentKey"]].assets.values()
    rows = [_row(asset) for asset in assets if asset.group == about["modelName"]]
    return 200, {"versions": [found[0] | {"assets": rows}]}


def _metadata(experiment: Experiment) -> dict[str, Any]:
    return {
        "experimentKey": experiment.key,
        "experimentName": experiment.name,
        "projectId": f"p-{experiment.project}",
        "projectName": experiment.project,
        "workspaceName": WORKSPACE,
        "userName": "somebody",
        "startTimeMillis": experiment.started,
        "endTimeMillis": experiment.started,
        "durationMillis": 0,
        "running": False,
        "archived": False,
        "throttle": False,
    }


def _row(asset: StoredAsset) -> dict[str, Any]:
    return {
        "assetId": asset.id,
        "fileName": asset.name,
        "fileSize": len(asset.content),
        "type": asset.kind,
        "metadata": asset.metadata,
        "createdAt": asset.created_at,
        "image": asset.kind == "image",
        "step": None,
        "runContext": None,
        "remote": False,
        "link": "",
    }


def _handshake(comet: CometStandin, experiment: Experiment) -> dict[str, Any]:
    return {
        "runId": f"run-{experiment.key}",
        "project_id": f"p-{experiment.project}",
        "githubEnabled": False,
        "focusUrl": f"{comet.url}/{WORKSPACE}/{experiment.project}/",
        "lastOffset": 0,
        "featureToggles": [],
        "upload_file_size_limit_in_mb": 1000,
        "asset_upload_file_size_limit_in_mb": 1000,
        "name": experiment.name or "a_name",
        "cometWebAssetUrl": f"{comet.url}/api/asset/download",
        "cometWebImageUrl": f"{comet.url}/api/image/download",
        "cometRestApiAssetUrl": f"{comet.url}/api/rest/v2/experiment/asset/get-asset",
        "cometRestApiImageUrl": f"{comet.url}/api/image/experiment/get-image",
        "s3DirectAccessEnabled": False,
        "assetNameMaxLength": 500,
        "imageNameMaxLength": 500,
    }


def _json(headers: Any, raw: bytes) -> dict[str, Any]:
    if headers.get("Content-Encoding") == "gzip":
        raw = gzip.decompress(raw)
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _multipart(content_type: str, raw: bytes) -> dict[str, bytes]:
    message = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + raw
    )
    parts = message.iter_parts() if isinstance(message, EmailMessage) else ()
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in parts
    }


@contextmanager
def comet_standin() -> Iterator[CometStandin]:
    """A stand-in for Comet on loopback, for as long as the block lasts."""
    comet = CometStandin()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = (
            True  # headers and body are sent apart, and the client delays its ACK by 40 ms
        )
        timeout = 60

        def _any(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            comet.log.append((self.command, parts.path, query))
            with comet.lock:
                fault = comet.next_fault(parts.path)
            length = int(self.headers.get("Content-Length", 0))
            if fault and fault.cut == "before":
                self.rfile.read(length // 2)
                self.close_connection = True
                return
            raw = self.rfile.read(length)
            if len(raw) < length:  # the other side died amid its upload
                self.close_connection = True
                return
            headers = {}
            if fault and fault.seconds:
                stopping.wait(fault.seconds)
            if fault and fault.status is not None:
                status, content, headers = fault.status, fault.body, fault.headers
            else:
                with comet.lock:
                    status, content = comet.answer(parts.path, query, self.headers, raw)
            if fault and fault.cut == "after":
                self.close_connection = True
                return
            self._say(status, content, headers, fault.trickle if fault else 0.0)

        def _say(self, status: int, content: Any, headers: dict[str, str], trickle: float) -> None:
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            kind = "application/octet-stream" if isinstance(content, bytes) else "application/json"
            for name, value in ({"Content-Type": kind, "Content-Length": str(len(raw))} | headers).items():
                self.send_header(name, value)
            try:
                self.end_headers()
                for byte in raw if trickle else ():
                    self.wfile.write(bytes([byte]))
                    stopping.wait(trickle)
                if not trickle:
                    self.wfile.write(raw)
            except OSError:  # the other side did not wait
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815

        def log_message(self, *args) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request, client_address) -> None:
            pass  # connections that break are what the tests are about

    stopping = threading.Event()
    with Server(("127.0.0.1", 0), Handler) as server:
        comet.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield comet
        finally:
            stopping.set()
            server.shutdown()
            thread.join()
