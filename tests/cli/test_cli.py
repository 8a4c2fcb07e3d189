"""The command line; tests/cli/test_main.py runs it as a process of its own."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import closing, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.databases import open_store
from tests.standins.models import install
from vibecheck.__main__ import main
from vibecheck.cli.main import app
from vibecheck.emotions import NAMES
from vibecheck.errors import SettingsError, UnknownPrediction
from vibecheck.evaluation.proof import Proof
from vibecheck.models.promotion import trials
from vibecheck.models.registry import Registry
from vibecheck.records import learned_calibration
from vibecheck.records.db.transactions import writing
from vibecheck.records.learned_calibration import LearnedCalibration
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.temperature_scaling import NO_BIAS

KEYS = {"path", "face", "mood", "confidence", "probabilities", "hints", "model", "error"}


def vibecheck(*arguments, cwd: Path, **environment) -> subprocess.CompletedProcess:
    """Runs a command in this process: an interpreter of its own would take seconds to load everything."""
    argv, before, here = sys.argv, dict(os.environ), Path.cwd()
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    os.environ.update({"NO_COLOR": "1", "COLUMNS": "160"} | environment)
    sys.argv = ["vibecheck", *map(str, arguments)]
    os.chdir(cwd)
    status = 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as ended:
        status = ended.code
    finally:
        os.chdir(here)
        sys.argv = argv
        os.environ.clear()
        os.environ.update(before)
    said, complained = (stream.buffer.getvalue().decode() for stream in (out, err))
    return subprocess.CompletedProcess(arguments, status, said, complained)


def vibecheck_process(*arguments, cwd: Path, **environment) -> subprocess.CompletedProcess:
    """Runs a command in a process of its own, for what is read from the environment when it is imported."""
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-m", "vibecheck", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": root, "NO_COLOR": "1", "COLUMNS": "160"} | environment,
        capture_output=True,
        text=True,
        timeout=600,  # on a busy machine
    )


def lines(run: subprocess.CompletedProcess) -> list[dict]:
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.fixture
def pictures(tmp_path, astronaut, empty_room) -> Path:
    folder = tmp_path / "pictures"
    (folder / "inner").mkdir(parents=True)
    Image.fromarray(astronaut).save(folder / "a.jpg")
    Image.fromarray(empty_room).save(folder / "inner" / "b.png")
    (folder / "notes.txt").write_text("not looked at")
    return folder


def test_predict_prints_one_json_line_per_picture_of_a_folder(pictures):
    run = vibecheck("predict", "--json", pictures, cwd=pictures)
    assert run.returncode == 0, run.stderr
    happy, nobody = lines(run)
    assert set(happy) == set(nobody) == KEYS
    assert happy["path"] == str(pictures / "a.jpg")
    assert happy["mood"] == "happy" and happy["error"] is None
    assert tuple(happy["probabilities"]) == NAMES
    assert sum(happy["probabilities"].values()) == pytest.approx(1)
    assert happy["confidence"] == happy["probabilities"]["happy"]
    assert set(happy["face"]) == {"x", "y", "width", "height"}
    assert happy["model"] == "embedded-3"
    assert nobody["error"] and {nobody[key] for key in KEYS - {"path", "error", "probabilities"}} == {None}


def test_unreadable_pictures_are_reported_beside_the_others(pictures):
    (pictures / "broken.jpg").write_bytes(b"\xff\xd8\xff garbage")
    run = vibecheck("predict", "--json", pictures, pictures / "missing.jpg", cwd=pictures)
    assert run.returncode == 1
    by_name = {Path(line["path"]).name: line for line in lines(run)}
    assert by_name["a.jpg"]["mood"] == "happy"
    for name in ("broken.jpg", "missing.jpg"):
        assert by_name[name]["mood"] is None and name in by_name[name]["error"]
    assert "Traceback" not in run.stderr


def test_no_detect_reads_face_crops_as_they_are(tmp_path, astronaut, detector):
    face = detector.find(astronaut)[0]
    x, y, side = int(face.x), int(face.y), int(face.side)
    Image.fromarray(astronaut[y : y + side, x : x + side]).resize((48, 48)).convert("L").save(
        tmp_path / "face.png"
    )
    run = vibecheck("predict", "--json", "--no-detect", "face.png", cwd=tmp_path)
    (line,) = lines(run)
    assert line["mood"] == "happy" and line["face"] is None and line["error"] is None


def test_predict_prints_a_plain_table_by_default(pictures):
    run = vibecheck("predict", "a.jpg", "inner", cwd=pictures)
    assert run.returncode == 0
    assert "Happy" in run.stdout and "No face" in run.stdout
    assert "\x1b" not in run.stdout


def test_empty_folder_is_reported(tmp_path):
    run = vibecheck("predict", "--json", tmp_path, cwd=tmp_path)
    assert run.returncode == 1 and run.stdout == ""
    assert "no pictures" in run.stderr


def test_predict_accepts_any_installed_model(pictures):
    settings = Settings(data=pictures / "data")
    with closing(Registry.open(settings)) as registry:
        install(settings, registry, "better-1")
        registry.begin("better-1", "a test", datetime.now(UTC))

    def asked(model: str) -> subprocess.CompletedProcess:
        return vibecheck("predict", "--json", "--model", model, "a.jpg", cwd=pictures)

    named = {model: lines(asked(model))[0]["model"] for model in ("better-1", "champion", "embedded")}
    assert named == {"better-1": "better-1", "champion": "better-1", "embedded": "embedded-3"}
    run = asked("worse-1")
    assert run.returncode == 1 and "worse-1 is not ready on this machine" in run.stderr
    assert "Traceback" not in run.stderr and run.stdout == ""


def test_predicting_leaves_nothing_behind(pictures):
    assert vibecheck("predict", "a.jpg", cwd=pictures).returncode == 0
    assert not (pictures / "data").exists()


def test_predicting_imports_neither_torch_nor_streamlit_nor_what_keeps_records(pictures):
    code = (
        "import sys; from vibecheck.cli.main import app\n"
        "try: app(['predict', '--json', 'a.jpg'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'transformers', 'streamlit', 'comet_ml', 'sqlalchemy'} & set(sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], cwd=pictures, env=environment, check=True)


def test_invalid_setting_is_reported_without_a_traceback(pictures):
    run = vibecheck("predict", "a.jpg", cwd=pictures, VIBECHECK_THREADS="many")
    assert run.returncode == 1
    assert "VIBECHECK_THREADS" in run.stderr and "Traceback" not in run.stderr


def test_doctor_passes_on_a_new_installation(tmp_path):
    run = vibecheck("doctor", cwd=tmp_path, VIBECHECK_MODEL="embedded")
    assert run.returncode == 0, run.stdout + run.stderr
    for part in (
        "model",
        "live model",
        "face detector",
        "records",
        "pictures",
        "access",
        "Spotify",
        "Comet",
        "camera relay",
    ):
        assert part in run.stdout
    for setting in ("SPOTIPY_CLIENT_ID", "COMET_API_KEY", "CLOUDFLARE_TURN_KEY_ID"):
        assert setting in run.stdout


def test_doctor_names_the_setting_of_a_broken_part(tmp_path):
    (tmp_path / "file").write_text("in the way")
    run = vibecheck("doctor", cwd=tmp_path, VIBECHECK_DATA=str(tmp_path / "file"))
    assert run.returncode == 1
    assert "VIBECHECK_DATA" in run.stdout and "Traceback" not in run.stdout + run.stderr


def test_doctor_reports_whether_the_live_model_can_be_downloaded(tmp_path):
    from tests.standins.hub import REPO, serving_hub

    settings = {"VIBECHECK_MODEL": REPO, "HF_HOME": str(tmp_path / "hf")}
    with serving_hub(EMBEDDED) as hub:
        run = vibecheck_process("doctor", cwd=tmp_path, HF_ENDPOINT=hub.url, **settings)
    assert "owner/name can be fetched (8 MB, commit 0123456789ab)" in run.stdout


@pytest.mark.parametrize(("model", "works"), [("./nowhere", False), (EMBEDDED, True)])
def test_doctor_looks_into_the_folder_of_the_first_model(tmp_path, model, works):
    run = vibecheck("doctor", cwd=tmp_path, VIBECHECK_MODEL=str(model))
    assert ("becomes the first champion" in run.stdout) == works
    assert ("nowhere/config.json cannot be read" in run.stdout) != works


@pytest.mark.parametrize("proxy", ["socks://127.0.0.1:9", "nonsense"])
def test_invalid_proxy_is_reported_without_a_traceback(tmp_path, proxy):
    broken = {"ALL_PROXY": proxy, "HF_HOME": str(tmp_path / "hf"), "COMET_API_KEY": "k"}
    broken |= {"SPOTIPY_CLIENT_ID": "id", "SPOTIPY_CLIENT_SECRET": "secret", "VIBECHECK_MODEL": "owner/name"}
    run = vibecheck("doctor", cwd=tmp_path, **broken)
    assert run.returncode == 0 and "Traceback" not in run.stdout + run.stderr
    assert "The Hub cannot be reached for owner/name: " in run.stdout and "ALL_PROXY" in run.stdout
    assert "Meanwhile the embedded model runs" in run.stdout
    run = vibecheck("compile", "owner/name", cwd=tmp_path, **broken)
    assert run.returncode == 1 and "Traceback" not in run.stdout + run.stderr
    assert "ALL_PROXY" in run.stderr


def test_the_doctor_says_when_comet_cannot_be_reached_or_refuses(tmp_path):
    from tests.standins.http import serving

    run = vibecheck(
        "doctor", cwd=tmp_path, COMET_API_KEY="k", COMET_URL_OVERRIDE="http://127.0.0.1:9/clientlib/"
    )
    assert run.returncode == 0, "Comet is never needed"
    assert "Comet cannot be reached" in run.stdout
    with serving(lambda asked: (401, {"msg": "no", "sdk_error_code": 90})) as standin:
        url = f"{standin.url}/clientlib/"
        run = vibecheck("doctor", cwd=tmp_path, COMET_API_KEY="k", COMET_URL_OVERRIDE=url)
    assert "COMET_API_KEY" in run.stdout and "Traceback" not in run.stdout + run.stderr


def test_the_doctor_asks_the_server_for_alerts_and_sends_none(tmp_path):
    from tests.standins.http import serving
    from vibecheck.cli.doctor import _alerts

    assert "VIBECHECK_ALERT_URL" in _alerts(Settings(data=tmp_path))
    with serving(lambda asked: (404, b"")) as hook:
        said = _alerts(Settings(data=tmp_path, alert_url=f"{hook.url}/secret"))
    assert "127.0.0.1 answers" in said and "secret" not in said
    assert [asked.method for asked in hook.asked] == ["HEAD"]


def test_doctor_reports_how_people_get_access(tmp_path):
    from vibecheck.cli.doctor import _access

    def said(auth: str = "", **settings) -> str:
        (tmp_path / "secrets.toml").write_text(auth)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("vibecheck.settings.files.SECRETS_FILES", (str(tmp_path / "secrets.toml"),))
            try:
                return _access(Settings(_env_file=None, **settings))
            except SettingsError as error:
                return f"✗ {error}"

    auth = (
        f'[auth]\nredirect_uri = "https://v.example/oauth2callback"\ncookie_secret = "{"c" * 32}"\n'
        'client_id = "i"\nclient_secret = "s"\nserver_metadata_url = "https://id.example/.well-known/o"\n'
    )
    token = "0123456789abcdef" * 2
    assert "printed in the terminal" in said()
    assert "VIBECHECK_ACCESS_TOKEN after their address" in said(access_token=token)
    assert token not in said(access_token=token)
    assert "Those in VIBECHECK_LABELLERS, VIBECHECK_TRAINERS" in said(
        auth, labellers="a@b.c", trainers="@b.c"
    )
    assert "not used" in said(auth, labellers="a@b.c", access_token=token)
    assert "✗ People can sign in, but nobody has a role" in said(auth)
    assert "✗ VIBECHECK_ANALYSTS is set, but nobody can sign in" in said(analysts="a@b.c")
    assert "✗ Nobody can sign in: the secrets' section [auth] lacks client_id" in said(
        auth.replace("client_id", "clientid"), trainers="@b.c"
    )


def test_the_doctor_names_the_comet_workspace_and_project(tmp_path):
    from tests.standins.comet import comet_standin

    with comet_standin() as comet:
        account = {"COMET_API_KEY": "k", "COMET_URL_OVERRIDE": f"{comet.url}/clientlib/"}
        run = vibecheck("doctor", cwd=tmp_path, **account, COMET_PROJECT_NAME="faces")
        assert "The key of somebody works" in run.stdout and "creates the project faces" in run.stdout
        run = vibecheck("doctor", cwd=tmp_path, **account, COMET_WORKSPACE="elsewhere")
        assert "COMET_WORKSPACE" in run.stdout and "standin" in run.stdout


@pytest.mark.slow
def test_records_survive_send_restore_and_export(tmp_path):
    from tests.records.examples import JPEG, a_prediction
    from tests.standins.comet import comet_standin

    recent = datetime.now(UTC) - timedelta(days=3)
    prediction = a_prediction(made_at=recent, picture_kept=True, model_version="=1+1")
    store = open_store(Settings(data=tmp_path / "here"))
    store.add(prediction, JPEG)
    store.label(prediction.id, "sad", "audit", None, recent)
    store.close()
    run = vibecheck("export", "log.csv", cwd=tmp_path, VIBECHECK_DATA="here")
    assert run.returncode == 0, run.stderr
    heading, row = (tmp_path / "log.csv").read_text().splitlines()
    assert heading.startswith("prediction_id,timestamp,mood_prediction,confidence,ground_truth_mood")
    assert row.startswith(prediction.id) and ",sad,audit,'=1+1,input_" in row
    assert vibecheck("export", "-", cwd=tmp_path, VIBECHECK_DATA="here").stdout.splitlines() == [heading, row]
    run = vibecheck("export", "no/such/folder.csv", cwd=tmp_path, VIBECHECK_DATA="here")
    assert run.returncode == 1 and "cannot be written" in run.stderr

    with comet_standin() as comet:
        account = {"COMET_API_KEY": "k", "COMET_URL_OVERRIDE": f"{comet.url}/clientlib/"}
        run = vibecheck("send", "--until-empty", cwd=tmp_path, VIBECHECK_DATA="here", **account)
        assert run.returncode == 0, run.stderr
        for days, count in (("1", 0), ("9", 1)):
            run = vibecheck("restore", "--days", days, cwd=tmp_path, VIBECHECK_DATA="there", **account)
            assert run.returncode == 0, run.stderr
            assert f"New here: predictions {count}, labels {count}, pictures {count}." in run.stdout
        for experiment in comet.experiments.values():
            experiment.assets.clear()
        for sent in (2, 0):
            run = vibecheck("send", "--again", cwd=tmp_path, VIBECHECK_DATA="here", **account)
            assert run.stdout == f"Missing in Comet, and sent again: {sent}.\n", run.stderr
    there = vibecheck("export", "-", cwd=tmp_path, VIBECHECK_DATA="there")
    assert there.stdout.splitlines() == [heading, row]


@pytest.mark.parametrize("command", ["send", "restore"])
def test_send_and_restore_require_a_comet_account(tmp_path, command):
    run = vibecheck(command, cwd=tmp_path)
    assert run.returncode == 1
    assert "COMET_API_KEY" in run.stderr and "Traceback" not in run.stderr


def test_days_to_restore_that_no_calendar_has_are_refused(tmp_path):
    run = vibecheck("restore", "--days", "999999999", cwd=tmp_path)
    assert run.returncode == 2 and "--days" in run.stderr and "Traceback" not in run.stderr


def test_since_is_refused_without_again(tmp_path):
    run = vibecheck("send", "--since", "2026-01-31", cwd=tmp_path)
    assert run.returncode == 1 and "--since is for send --again." in run.stderr


@pytest.mark.slow
def test_compile_in_place_reports_what_it_measured_and_refuses_an_empty_folder(tmp_path):
    shutil.copytree(EMBEDDED, tmp_path / "model", ignore=shutil.ignore_patterns("model.onnx"))
    run = vibecheck("compile", "model", "--in-place", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "model" / "model.onnx").is_file() and "int8 static: " in run.stdout
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "config.json").write_text("no JSON")
    run = vibecheck("compile", "text", "--in-place", "--json", cwd=tmp_path)
    assert run.returncode == 1 and json.loads(run.stdout)["step"] == "failed"
    (tmp_path / "empty").mkdir()
    for options in ([], ["--in-place"]):
        run = vibecheck("compile", "empty", *options, cwd=tmp_path)
        assert run.returncode == 1
        assert re.search(r"empty\S* ?.*config.json", run.stderr) and run.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("no such model", "owner/name@revision"),
        ("./nowhere", "is not a folder"),
        ("owner/name", "The Hub cannot be reached for owner/name"),
    ],
)
def test_unavailable_model_is_reported_in_one_sentence(tmp_path, model, words):
    environment = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    run = vibecheck("compile", model, cwd=tmp_path, **environment)
    assert run.returncode == 1 and run.stdout == ""
    assert words in run.stderr and run.stderr.count("\n") == 1
    run = vibecheck("compile", "--json", model, cwd=tmp_path, **environment)
    last = lines(run)[-1]
    assert run.returncode == 1 and last["step"] == "failed" and words in last["sentence"]


@pytest.mark.slow
def test_a_model_is_compiled_listed_promoted_and_rolled_back(tmp_path):
    from tests.standins.models import small_vit

    small_vit(tmp_path / "mine", NAMES)
    config = (tmp_path / "mine" / "config.json").read_bytes()
    run = vibecheck("models", "list", cwd=tmp_path)
    assert run.returncode == 0 and "embedded-3  champion  ready" in run.stdout
    run = vibecheck_process("compile", "./mine", cwd=tmp_path)  # the libraries' bars are off in a new process
    assert run.returncode == 0, run.stderr
    assert "int8 dynamic: " in run.stdout and run.stderr == ""
    _, listed = lines(vibecheck("models", "list", "--json", cwd=tmp_path))
    version = listed["version"]
    assert version.startswith("mine@") and f"{version} is ready" in run.stdout
    assert (listed["aliases"], listed["here"], listed["trained_on"]) == ([], True, 0)
    assert listed["metrics"]["here"]["candidate"] in ("fp32", "int8 dynamic")
    folder = tmp_path / "data" / "models" / version
    report = json.loads((folder / "report.json").read_text())
    assert report["faces"] == 200 and report["source"] == str(tmp_path / "mine")
    made = (folder / "model.onnx").stat()

    # An installed model is not built again, and its source folder is unchanged.
    run = vibecheck("compile", "./mine", "--json", cwd=tmp_path)
    (line,) = lines(run)
    assert (line["step"], line["version"]) == ("ready", version)
    assert (folder / "model.onnx").stat().st_mtime_ns == made.st_mtime_ns
    assert (tmp_path / "mine" / "config.json").read_bytes() == config
    assert not (tmp_path / "mine" / "vibecheck.json").exists()

    run = vibecheck("models", "promote", "unknown", "--why", "it is better", cwd=tmp_path)
    assert run.returncode == 1 and "models list" in run.stderr and "Traceback" not in run.stderr
    # No app ever ran here, and the rule is the same.
    run = vibecheck("models", "promote", version, "--why", "it is better", cwd=tmp_path)
    assert run.returncode == 1 and "--override" in run.stderr
    run = vibecheck("models", "promote", version, "--override", "it fits our camera", cwd=tmp_path)
    assert run.returncode == 0 and f"{version} is the champion in place of embedded-3" in run.stdout
    run = vibecheck("models", "list", cwd=tmp_path)
    assert version in run.stdout and "it fits our camera" in run.stdout
    run = vibecheck("models", "rollback", cwd=tmp_path)
    assert run.returncode == 0 and "embedded-3 is the champion again" in run.stdout


def test_unproved_model_needs_an_override_and_a_challenger_can_be_discarded(tmp_path):
    registry = Registry.open(Settings(data=tmp_path / "data"))
    now = datetime.now(UTC)
    for version in ("old", "new", "other"):
        registry.register(version, "a test", str(tmp_path / version), {}, now)
    registry.begin("old", "the first", now)
    registry.challenge("other")
    run = vibecheck("models", "promote", "new", "--why", "it feels better", cwd=tmp_path)
    assert run.returncode == 1 and '--override "REASON"' in run.stderr and "finetune judge new" in run.stderr
    assert registry.champion().version == "old"
    run = vibecheck("models", "promote", "new", "--override", "the old one fails in the dark", cwd=tmp_path)
    assert run.returncode == 0 and "new is the champion in place of old" in run.stdout
    run = vibecheck("models", "discard", "other", cwd=tmp_path)
    assert run.returncode == 0 and run.stdout == "other is discarded.\n"
    run = vibecheck("models", "discard", "new", cwd=tmp_path)
    assert run.returncode == 1 and "is the champion" in run.stderr
    long = "owner/" + "x" * 100
    registry.register(long, "a test", "here", {}, now)
    shown = vibecheck("models", "list", cwd=tmp_path, COLUMNS="40").stdout
    assert long in shown, "names are whole at any width"
    assert "Promoted without proof new: the old one fails in the dark" in shown and "discarded" in shown
    registry.close()


def test_the_list_says_which_champion_a_version_was_proved_better_than(tmp_path):
    registry, now = Registry.open(Settings(data=tmp_path / "data")), datetime.now(UTC)
    for version in ("old", "new", "other"):
        registry.register(version, "a test", str(tmp_path / version), {}, now)
    registry.begin("old", "the first", now)
    registry.prove("new", Proof(True, "Proved better.", 0, "old", 80, 40, 60, 25.0, now))
    assert re.search(
        r"^new .+ proved better  ", vibecheck("models", "list", cwd=tmp_path).stdout, re.MULTILINE
    )
    registry.promote("other", "a hunch", now, override=True)
    assert "proved better than old" in vibecheck("models", "list", cwd=tmp_path).stdout
    registry.close()


def test_the_list_names_the_calibration_of_each_version(tmp_path):
    with closing(Registry.open(Settings(data=tmp_path / "data"))) as registry:
        registry.register("other", "a test", "here", {}, datetime.now(UTC))
        now = datetime(2026, 3, 3, 12, tzinfo=UTC)
        new = LearnedCalibration(
            2.43, NO_BIAS, 214, 204, 1.9, 1.4, 0.29, 0.05, id="c" * 32, version="embedded-3", from_when=now
        )
        with writing(registry._engine) as connection:
            learned_calibration.add(connection, new)
    shown = vibecheck("models", "list", cwd=tmp_path).stdout
    assert "on 214 audits since 2026-03-03, temperature 2.4" in shown
    assert re.search(r"other .*as shipped", shown)
    mine, other = lines(vibecheck("models", "list", "--json", cwd=tmp_path))
    assert mine["calibration"]["id"] == "c" * 32 and other["calibration"] is None
    assert (mine["calibration"]["error_before"], mine["calibration"]["error_after"]) == (0.29, 0.05)


@pytest.fixture
def records(tmp_path):
    """Three vibe checks with pictures, one of them a hundred days old, in the default place."""
    from tests.records.examples import JPEG, a_prediction

    store = open_store(Settings(data=tmp_path / "data"))
    now = datetime.now(UTC)
    ids = []
    for days in (0, 1, 100):
        prediction = a_prediction(made_at=now - timedelta(days=days), picture_kept=True)
        store.add(prediction, JPEG)
        ids.append(prediction.id)
    yield store, ids
    store.close()


def test_forget_deletes_predictions_and_reports_unknown_ids(records, tmp_path):
    store, (first, second, third) = records
    run = vibecheck("forget", first, third, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [f"{first} is deleted.", f"{third} is deleted."]
    assert store.count() == 1 and store.get(second)
    assert [path.name for path in (tmp_path / "data").rglob("input_*")] == [f"input_{second}.jpg"]
    run = vibecheck("forget", second, first, "[red]\n../etc", cwd=tmp_path)
    assert run.returncode == 1 and store.count() == 0
    assert run.stdout == f"{second} is deleted.\n"
    assert run.stderr.splitlines() == [
        f"There is no vibe check {first!r}.",
        "There is no vibe check '[red]\\n../etc'.",
    ]


def test_deletion_names_the_models_trained_on_the_pictures(records, tmp_path):
    _, (first, second, third) = records
    registry = Registry.open(Settings(data=tmp_path / "data"))
    registry.register("tuned", "a test", "here", {}, datetime.now(UTC), [first, second, third])
    run = vibecheck("forget", first, cwd=tmp_path)
    assert run.stdout.splitlines()[-1] == "tuned was trained on 1 of them, and is marked."
    run = vibecheck("purge", cwd=tmp_path)
    assert run.stdout.splitlines()[-1] == "tuned was trained on 1 of them, and is marked."
    assert "3 predictions, 2 deleted since" in vibecheck("models", "list", cwd=tmp_path).stdout
    registry.close()


def test_purge_deletes_old_predictions(records, tmp_path):
    store, (first, _, third) = records
    run = vibecheck("purge", cwd=tmp_path)
    assert run.stdout == "Deleted: 1 vibe check older than 90 days.\n", run.stderr
    with pytest.raises(UnknownPrediction):
        store.get(third)
    run = vibecheck("purge", "--older-than", "1", cwd=tmp_path)
    assert (run.returncode, store.count()) == (0, 1) and store.get(first)
    for wrong in ("-1", "soon", "99999999999"):
        run = vibecheck("purge", "--older-than", wrong, cwd=tmp_path)
        assert run.returncode == 2 and "Traceback" not in run.stderr
    assert store.count() == 1


def test_purged_labels_still_count_in_a_comparison(tmp_path):
    from tests.models.test_promotion import NEW, OLD, audits

    settings, now = Settings(data=tmp_path / "data", model="embedded"), datetime.now(UTC)
    with closing(open_store(settings)) as store, closing(Registry.open(settings)) as registry:
        for name in (OLD, NEW):
            registry.register(name, "a test", name, {}, now)
        registry.promote(OLD, "a test", now, override=True)
        registry.challenge(NEW)
        audits(store, 20, now - timedelta(days=40), old=True, new=False)
        assert vibecheck("purge", "--older-than", "30", cwd=tmp_path).returncode == 0
        assert store.count() == 0
        seen = next(each.seen for each in trials(registry, store.statistics) if each.version == NEW)
        assert seen.evidence < 0.2  # the bets are lost


def test_help_names_every_command(tmp_path):
    run = vibecheck("--help", cwd=tmp_path)
    names = {command.name or command.callback.__name__ for command in app.registered_commands}
    names |= {group.name for group in app.registered_groups}
    assert {"predict", "models"} <= names <= set(run.stdout.split())
    first = [word for word in run.stdout.split() if word in ("predict", "doctor", "purge")]
    assert first == ["predict", "doctor", "purge"], "what is used most often comes first"


def test_predict_keeps_the_order_of_many_pictures(tmp_path):
    for i in range(30):
        Image.fromarray(np.full((40, 40), i * 8, np.uint8)).save(tmp_path / f"{i:02}.png")
    run = vibecheck("predict", "--json", tmp_path, cwd=tmp_path)
    assert [Path(line["path"]).stem for line in lines(run)] == [f"{i:02}" for i in range(30)]


def test_stats_of_a_new_installation_are_null(tmp_path):
    run = vibecheck("stats", "--json", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    (found,) = lines(run)
    assert found["accuracy"] is None and found["audits"] == 0 and found["retrain"]["recommended"] is False
    documented = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    for key in {*found, *found["drift"], *found["agreement"], *found["retrain"]}:
        assert f"`{key}`" in documented


def test_report_is_a_single_file(tmp_path):
    run = vibecheck("report", "--out", "report.html", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "How good is it, really?" in (tmp_path / "report.html").read_text(encoding="utf-8")
    run = vibecheck("report", "--out", "-", cwd=tmp_path)
    assert run.returncode == 0 and run.stdout.startswith("<!doctype html>") and "</html>" in run.stdout
    assert not (tmp_path / "-").exists() and not run.stderr


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--period", "12 weeks"),
        ("--step", "month"),
        ("--source", "upload"),
        ("--model", "no model has made a prediction yet"),
    ],
)
def test_a_selection_that_does_not_exist_is_refused_with_the_valid_ones(tmp_path, option, words):
    run = vibecheck("report", "--out", "report.html", option, "century", cwd=tmp_path)
    assert run.returncode == 2 and words in run.stderr and option in run.stderr
    assert not (tmp_path / "report.html").exists()


def test_what_can_be_asked_for_is_asked_for_by_h(tmp_path):
    for command in ([], ["stats"], ["models", "list"]):
        run = vibecheck(*command, "-h", cwd=tmp_path)
        assert run.returncode == 0 and "--help" in run.stdout, run.stderr


def test_what_may_not_be_read_is_reported_beside_the_others(tmp_path, astronaut, monkeypatch):
    Image.fromarray(astronaut).save(tmp_path / "face.jpg")
    (tmp_path / "locked").mkdir()
    stat, scandir = Path.stat, os.scandir

    def refuse(call):
        def called(path, *arguments, **options):
            if "locked" in str(path):
                raise PermissionError(13, "Permission denied", str(path))
            return call(path, *arguments, **options)

        return called

    # As for everybody but the superuser: the folder can be seen, but not listed, and nothing in it looked up.
    monkeypatch.setattr(os, "scandir", refuse(scandir))
    monkeypatch.setattr(os, "listdir", refuse(os.listdir))
    run = vibecheck("predict", ".", cwd=tmp_path)
    assert run.returncode == 1 and "Happy" in run.stdout
    assert re.search(r"locked +It cannot be read: Permission denied\.", run.stdout)
    monkeypatch.setattr(Path, "stat", refuse(stat))
    run = vibecheck("predict", "face.jpg", "locked/face.jpg", cwd=tmp_path)
    assert run.returncode == 1 and "Happy" in run.stdout
    assert re.search(r"locked/face.jpg +It cannot be read: Permission denied\.", run.stdout)
    run = vibecheck("import", "locked/labels.csv", cwd=tmp_path)
    assert (run.returncode, run.stderr) == (1, "locked/labels.csv cannot be used: Permission denied.\n")
