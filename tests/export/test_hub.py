"""The real huggingface_hub, in a process of its own, against a local stand-in for the Hub."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standins.hub import REPO, SHA, Hub, serving_hub
from vibecheck.vision.classifier import EMBEDDED

ROOT = Path(__file__).parents[2]
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def fetcher() -> Iterator[subprocess.Popen]:
    """The process of `fetcher.py`, which starts processes that fetch models."""
    command = [sys.executable, "-m", "tests.export.fetcher"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def hub(tmp_path) -> Iterator[Hub]:
    """A Hub whose model has 5 MB of weights."""
    folder = tmp_path / "served"
    folder.mkdir()
    for name in ("config.json", "preprocessor_config.json", "README.md"):
        (folder / name).write_bytes((EMBEDDED / name).read_bytes())
    (folder / WEIGHTS).write_bytes(os.urandom(5_000_000))
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "modeling.py").write_text("raise SystemExit")
    with serving_hub(folder) as served:
        yield served


@pytest.fixture
def fetch(fetcher, tmp_path):
    """Fetches a model from a Hub: what was told of the bytes, and what went wrong (or None)."""

    def fetch_one(url: str, model: str = REPO, largest: int | None = None, **environment: str):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        home = {"HF_ENDPOINT": url, "HF_HOME": str(tmp_path / "hf")}
        asked = {"model": model, "folder": str(tmp_path / "got"), "largest": largest}
        fetcher.stdin.write(json.dumps(asked | {"environment": clean | home | environment}) + "\n")
        fetcher.stdin.flush()
        lines = []
        while not isinstance(line := json.loads(fetcher.stdout.readline()), int):
            lines.append(line)
        assert line == 0, "the process failed"
        problem = lines.pop() if lines and isinstance(lines[-1], dict) else None
        return lines, problem

    return fetch_one


def got(tmp_path: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (tmp_path / "got").glob("*") if path.is_file()}


def test_only_the_required_files_of_a_model_are_downloaded(hub, fetch, tmp_path):
    told, problem = fetch(hub.url)
    assert problem is None
    wanted = {"config.json", "preprocessor_config.json", "README.md", WEIGHTS}
    assert got(tmp_path) == {name: hub.files[name] for name in wanted}
    total = sum(len(hub.files[name]) for name in wanted)
    assert told[-1] == [total, total]
    assert all(before[0] <= after[0] for before, after in itertools.pairwise(told))
    asked = {request.path for request in hub.standin.asked}
    assert not [path for path in asked if "pytorch_model" in path or "modeling" in path]


def test_broken_download_resumes_where_it_stopped(hub, fetch, tmp_path):
    hub.cuts = [2_500_000, 1_200_000]
    _, problem = fetch(hub.url)
    assert problem is None
    assert got(tmp_path)[WEIGHTS] == hub.files[WEIGHTS]
    first, second, third = hub.downloads(WEIGHTS)
    assert first is None
    assert second == f"bytes={2 << 20}-" and third == f"bytes={3 << 20}-"


def test_aborted_download_continues_with_the_missing_files(hub, fetch, tmp_path):
    hub.refused_files = None
    fetch(hub.url, largest=1_000_000)
    assert set(got(tmp_path)) == {"config.json", "preprocessor_config.json", "README.md"}
    before = len(hub.downloads("config.json"))
    _, problem = fetch(hub.url)
    assert problem is None and got(tmp_path)[WEIGHTS] == hub.files[WEIGHTS]
    assert len(hub.downloads("config.json")) == before


def test_slow_download_reports_its_progress(hub, fetch):
    hub.pause = 0.02
    told, problem = fetch(hub.url)
    assert problem is None
    assert len({done for done, _ in told}) >= 5


@pytest.mark.slow
def test_stalled_download_is_requested_again(hub, fetch):
    hub.pause = 1.5
    told, problem = fetch(hub.url, HF_HUB_DOWNLOAD_TIMEOUT="1")
    assert told and problem["kind"] == "HubUnreachable"
    assert len(hub.downloads(WEIGHTS)) > 1


def test_pinned_revision_is_downloaded(hub, fetch):
    assert fetch(hub.url, f"{REPO}@{SHA}")[1] is None
    assert fetch(hub.url, f"{REPO}@main")[1] is None
    problem = fetch(hub.url, f"{REPO}@other")[1]
    assert problem["kind"] == "ModelError" and "no revision other" in problem["sentence"]


@pytest.mark.parametrize(
    ("refused", "kind", "words"),
    [
        ((404, "RepoNotFound"), "ModelError", "no model owner/name on the Hub"),
        ((401, ""), "ModelError", "HF_TOKEN"),
        ((403, "GatedRepo"), "ModelError", "accept its terms at https://huggingface.co/owner/name"),
        ((403, ""), "ModelError", "HF_TOKEN"),
        ((500, ""), "HubUnreachable", "error (500)"),
    ],
)
def test_error_of_the_hub_is_reported_with_what_to_do(hub, fetch, refused, kind, words):
    hub.refused = refused
    told, problem = fetch(hub.url)
    assert told == [] and problem["kind"] == kind
    assert words in problem["sentence"] and problem["sentence"].endswith(".")


def test_gated_model_whose_files_are_refused_is_reported_as_gated(hub, fetch):
    hub.refused_files = (401, "GatedRepo")
    problem = fetch(hub.url)[1]
    assert problem["kind"] == "ModelError" and "gated" in problem["sentence"]


def test_unreachable_hub_is_reported_at_once(fetch):
    told, problem = fetch("http://127.0.0.1:9")
    assert told == [] and problem["kind"] == "HubUnreachable"
    assert "cannot be reached" in problem["sentence"] and "HF_ENDPOINT" in problem["sentence"]


@pytest.mark.parametrize("proxy", ["socks://127.0.0.1:9", "socks5://127.0.0.1:9"])
def test_a_proxy_that_cannot_be_used_is_named(hub, fetch, proxy):
    told, problem = fetch(hub.url, ALL_PROXY=proxy)
    assert told == [] and problem["kind"] == "HubUnreachable"
    assert "ALL_PROXY must be an address such as http://host:port" in problem["sentence"]


def test_a_proxy_that_does_not_answer_is_named(hub, fetch):
    _, problem = fetch(hub.url, HTTP_PROXY="http://127.0.0.1:9", NO_PROXY="")
    assert problem["kind"] == "HubUnreachable" and "HTTP_PROXY" in problem["sentence"]


def test_answer_that_is_no_json_is_reported(hub, fetch):
    hub.garbled = True
    _, problem = fetch(hub.url)
    assert problem["kind"] == "HubUnreachable" and "cannot be read" in problem["sentence"]


def test_file_with_a_wrong_checksum_is_refused_and_deleted(hub, fetch, tmp_path):
    hub.lies = {WEIGHTS: "0" * 64}
    problem = fetch(hub.url)[1]
    assert problem["kind"] == "ModelError" and "checksum" in problem["sentence"]
    assert WEIGHTS not in got(tmp_path)
    hub.lies = {}
    assert fetch(hub.url)[1] is None


def test_full_disk_is_reported(hub, fetch, tmp_path):
    problem = fetch(hub.url, largest=1_000_000)[1]
    assert problem["kind"] == "ModelError"
    assert "too full" in problem["sentence"] and "VIBECHECK_DATA" in problem["sentence"]
    assert WEIGHTS not in got(tmp_path)


@pytest.mark.parametrize("missing", ["config.json", "preprocessor_config.json", WEIGHTS])
def test_model_without_a_required_file_is_refused_before_downloading(hub, fetch, missing):
    del hub.files[missing]
    told, problem = fetch(hub.url)
    assert told == [] and problem["kind"] == "ModelError" and missing in problem["sentence"]
