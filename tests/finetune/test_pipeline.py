"""python -m finetune, from labels to a challenger that runs. Imports torch."""

import errno
import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from finetune.data.collect import TrainingData
from tests.databases import open_store
from tests.end_to_end.test_numbers_only import visit
from tests.finetune.corrected import face, fill
from tests.models.test_promotion import DAY, NOW
from tests.standins.comet import comet_standin
from tests.standins.models import install, small_resnet, small_vit
from tests.waiting import wait_for
from vibecheck.comet.model_sender import send_all
from vibecheck.comet.sender import Pace, Sender
from vibecheck.emotions import NAMES
from vibecheck.errors import VibeCheckError
from vibecheck.models import promotion
from vibecheck.models.installed import InstalledModels
from vibecheck.models.registry import CHALLENGER, CHAMPION, Registry
from vibecheck.models.shadow import ShadowModels
from vibecheck.settings import Settings
from vibecheck.vision.classifier import Classifier
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.reader import Reader

pytestmark = pytest.mark.filterwarnings("default")  # what torch warns of is not ours to mend
ROOT = Path(__file__).parents[2]


def environment(settings: Settings) -> dict[str, str]:
    ours = {"VIBECHECK_DATA": str(settings.data), "OMP_NUM_THREADS": "1"}
    return {name: value for name, value in os.environ.items() if name != "COMET_API_KEY"} | ours


def finetune(settings: Settings, *arguments: object, **more: str) -> tuple[int, list[dict], str]:
    """The exit status, the events and what was said on standard error; `more` is added to the environment.

    The command runs in this process, where PyTorch is loaded already, and measures models on few faces.
    """
    from finetune.commands import app

    env = {"COMET_API_KEY": "", "VIBECHECK_DATA": str(settings.data)} | more
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the command sets its own
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("vibecheck.export.candidates.FACES", 40)
            patch.setattr("vibecheck.export.candidates.CALIBRATION", 10)
            done = CliRunner().invoke(app, list(map(str, arguments)), env=env)
    finally:
        signal.signal(signal.SIGTERM, before)
    return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    """A small transformer, which learns fast and labels one mood twice."""
    return small_vit(tmp_path_factory.mktemp("vit") / "vit", [*NAMES, "contempt"], num_hidden_layers=2)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run with a small model on the faces of a store, with what it told."""
    base = small_resnet(tmp_path_factory.mktemp("base") / "small-1")
    settings = Settings(data=tmp_path_factory.mktemp("run") / "data")
    ids = fill(settings, 84, visitors=28)
    with closing(Registry.open(settings)) as registry:
        install(settings, registry, base.name, base)
    status, events, errors = finetune(settings, "--epochs", 1, "--no-proof", "--base", base.name)
    assert status == 0, errors
    return settings, ids, events


def test_run_prints_its_progress_as_events(ran):
    _, _, events = ran
    kinds = [event["event"] for event in events]
    assert kinds[:2] == ["collected", "started"] and kinds[-2:] == ["exported", "finished"]
    collected = events[0]
    assert collected["rows"] == 84 == sum(collected["by_class"].values())
    assert collected["train"] + collected["validation"] + collected["held_out"] == 84
    assert collected["unit"] == "visitor" and collected["judging"] == collected["held_out"] > 0
    assert events[1]["stages"] == ["head", "all"] and events[1]["base"] == "small-1"
    assert events[1]["out"] == events[-1]["out"]
    epochs = [event for event in events if event["event"] == "epoch"]
    assert [event["epoch"] for event in epochs if event["stage"] == "all"] == [1]
    assert all(0 <= event["done"] <= 1 and event["minutes_left"] >= 0 for event in epochs)
    assert {"loss", "accuracy", "balanced_accuracy", "minutes"} <= set(epochs[0])
    assert sum(event["event"] == "blend" and event["chosen"] for event in events) == 1


def test_challenger_can_be_loaded_and_names_its_training_data(ran):
    settings, ids, events = ran
    version = events[-1]["version"]
    there = InstalledModels(settings.data).find(version)
    classifier = Classifier.load(there.folder)
    assert classifier.version == version and classifier.side == 32
    answers = classifier.probabilities(np.stack([face(0, 0)[32:64, 32:64]]))
    assert answers.sum() == pytest.approx(1)
    manifest = Manifest.read(there.folder)
    assert manifest.grey and manifest.class_prior and "small-1" in manifest.origin
    with closing(Registry.open(settings)) as registry:
        assert registry.aliases()[CHALLENGER] == version
        learned = list(registry.record(version).trained_on)
        about = registry.get(version)
    assert len(learned) == events[0]["train"] + events[0]["validation"] and set(learned) < set(ids)
    assert about.source == str(there.folder)
    rows = about.metrics["fine_tuning"]["epochs"]
    assert len(rows) == sum(event["event"] == "epoch" for event in events)
    assert set(rows[0]) == {"epoch", "loss", "accuracy", "balanced_accuracy"}
    assert about.metrics["fine_tuning"]["mix"] == next(e["mix"] for e in events if e.get("chosen"))


def test_run_folder_keeps_no_pictures(ran):
    _, _, events = ran
    out = Path(events[-1]["out"])
    left = {path.name for path in out.iterdir()}
    assert left == {".lock", "model", "plan.json", "trained.json", "trained_on.json"}


@pytest.mark.slow
def test_comet_source_trains_on_an_empty_data_folder(tmp_path):
    first, second = (Settings(data=tmp_path / name) for name in ("first", "second"))
    with comet_standin() as comet:
        account = {
            "VIBECHECK_DEPLOYMENT": first.deployment,
            "COMET_API_KEY": "key",
            "COMET_URL_OVERRIDE": f"{comet.url}/clientlib/",
        }
        # What is older than it may be kept here is not fetched.
        ids = fill(first, 70, visitors=35, since=datetime.now(UTC) - timedelta(days=3))
        with closing(open_store(first)) as store:
            there = first.model_copy(
                update={
                    "comet_api_key": SecretStr("key"),
                    "comet_url_override": account["COMET_URL_OVERRIDE"],
                }
            )
            Sender(there, store, Pace(poll=0.02)).run(until_empty=True)
        base = small_resnet(tmp_path / "small-1")
        arguments = ("--source", "comet", "--base", base, "--epochs", 1, "--no-proof")
        status, events, errors = finetune(second, *arguments, **account)
        assert status == 0, errors
    assert events[0]["event"] == "collected" and events[0]["rows"] == 70
    with closing(Registry.open(second)) as registry:
        learned = list(registry.record(events[-1]["version"]).trained_on)
    assert len(learned) == events[0]["train"] + events[0]["validation"] and set(learned) < set(ids)


def test_dry_run_on_an_empty_machine_takes_base_and_champion_from_comet(tmp_path, monkeypatch):
    from finetune import pipeline

    for name in ("COMET_URL_OVERRIDE", "COMET_API_KEY", "COMET_WORKSPACE", "COMET_PROJECT_NAME"):
        monkeypatch.setenv(name, "")
    request = pipeline.FineTuneRequest(source="comet", device="cpu")
    with comet_standin() as comet:
        account = {"comet_api_key": SecretStr("key"), "comet_url_override": f"{comet.url}/clientlib/"}
        first, dry, run = (Settings(data=tmp_path / name, **account) for name in ("first", "dry", "run"))
        fill(first, 28, since=datetime.now(UTC) - timedelta(days=3))
        with closing(Registry.open(first)) as registry, closing(open_store(first)) as store:
            for settings in (dry, run):
                install(settings, registry, "tuned")
            registry.register("tuned", "a test", f"owner/name@{'0' * 40}", {}, datetime.now(UTC))
            registry.promote("tuned", "a test", datetime.now(UTC), override=True)
            Sender(first, store, Pace(poll=0.02)).run(until_empty=True)
            send_all(first, store)
        planned, notes = pipeline.preview(dry, request)
        assert planned["base"] == "tuned" and "read back from Comet" in notes[-1]
        events: list[dict] = []
        out = tmp_path / "out"
        with pipeline.plan.locked(out):
            _, made, _ = pipeline._start(run, request, out, "ft-1", "cpu", events.append)
    assert events[0] == {name: planned[name] for name in events[0]} | {"event": "collected"}
    assert events[1]["base"] == "tuned"
    assert made.asked["champion"] == made.asked["base"] == "tuned"


def test_finished_run_is_not_repeated(ran):
    settings, _, events = ran
    arguments = ("--epochs", 2, "--no-proof", "--out", events[-1]["out"])
    status, again, _ = finetune(settings, *arguments)
    assert status == 1 and "finished" in again[-1]["error"] and "--register" in again[-1]["error"]


@pytest.mark.slow
def test_a_dry_run_changes_nothing(tmp_path):
    settings = Settings(data=tmp_path / "data")
    fill(settings, 28)
    Registry.open(settings).close()  # as an app does, which makes the embedded model the champion
    before = {path: path.is_file() and path.read_bytes() for path in settings.data.rglob("*")}
    status, (planned,), errors = finetune(settings, "--dry-run", "--json", "--base", "embedded")
    assert status == 0, errors
    assert planned["event"] == "planned" and planned["rows"] == 28
    assert planned["estimate"]["minutes"] > 0 and planned["estimate"]["enough"]
    assert planned["estimate"]["disk_mb"] > 50
    assert {path: path.is_file() and path.read_bytes() for path in settings.data.rglob("*")} == before


def test_a_run_is_resumed_with_its_champion_after_another_one_was_promoted(tmp_path, monkeypatch):
    from finetune import pipeline

    settings, out, told = Settings(data=tmp_path / "data"), tmp_path / "out", []
    monkeypatch.setattr(pipeline, "collect", lambda *_, **__: TrainingData((), {}, False, frozenset()))
    monkeypatch.setattr(pipeline, "check", lambda collected: None)
    out.mkdir()
    begin = partial(pipeline._start, settings, pipeline.FineTuneRequest(), out, "ft-1", "cpu", told.append)
    first, planned, _ = begin()
    with closing(Registry.open(settings)) as registry:
        install(settings, registry, "second")
        registry.promote("second", "a hunch", datetime.now(UTC), override=True)
    again, resumed, _ = begin()
    assert again == first and resumed == planned and planned.asked["champion"] == first.version


def test_incomplete_checkpoint_is_skipped(tmp_path):
    from finetune.training.trainer import _checkpoint

    assert _checkpoint(tmp_path) is None
    for step in (9, 10):
        (tmp_path / f"checkpoint-{step}").mkdir()
    assert _checkpoint(tmp_path) is None
    (tmp_path / "checkpoint-9" / "trainer_state.json").write_text("{}")
    (tmp_path / "checkpoint-10" / "trainer_state.json").write_text('{"epoch": ')
    assert _checkpoint(tmp_path) == str(tmp_path / "checkpoint-9")
    (tmp_path / "checkpoint-10" / "trainer_state.json").write_text("{}")
    assert _checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "There are no labelled pictures"),
        (("--source", "nowhere"), "--source takes"),
        (("--device", "abacus"), "--device takes"),
        (("--reference", "nowhere"), "--reference takes"),
        (("--base", "no such model"), "is not a model"),
        (("--source", "comet"), "COMET_API_KEY"),
        (("--register", "out", "--dry-run", "--base", "embedded"), "leave out --base, --dry-run."),
        (("--no-proof", "--promote-if-better"), "leave it out, or --promote-if-better."),
        (("--crops",), "--source store reads the records: leave out --crops, or"),
    ],
)
def test_invalid_arguments_are_reported_in_one_sentence(tmp_path, arguments, sentence):
    status, events, _ = finetune(Settings(data=tmp_path / "data"), *arguments)
    assert status == 1
    assert events[-1]["event"] == "failed" and sentence in events[-1]["error"]


def test_reference_set_without_labels_is_refused_before_training(tmp_path):
    (tmp_path / "set" / "happy").mkdir(parents=True)
    settings = Settings(data=tmp_path / "data")
    status, events, _ = finetune(settings, "--reference", tmp_path / "set")
    assert status == 1 and "set holds no labelled picture" in events[-1]["error"]


def test_device_that_the_machine_lacks_is_refused(monkeypatch):
    from finetune import pipeline

    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    assert pipeline.device_of("auto") == pipeline.device_of("cpu") == "cpu"
    with pytest.raises(VibeCheckError, match="has no cuda device: leave out --device"):
        pipeline.device_of("cuda")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full"),
        (RuntimeError("SafetensorError: No space left on device (os error 28)"), "The disk is full"),
        (MemoryError(), "Too little memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "Too little memory"),
        (ValueError("a bug\nin two lines"), "Training ended with ValueError: a bug. The log says where."),
    ],
)
def test_last_event_of_a_failed_run_says_why(error, sentence, capsys):
    import typer

    from finetune.train_command import _telling

    with pytest.raises(typer.Exit), _telling(True):
        raise error
    told = capsys.readouterr()
    event = json.loads(told.out)
    assert event["event"] == "failed" and event["error"].startswith(sentence)
    assert "Traceback" in told.err


@pytest.mark.slow
def test_killed_run_resumes_and_stopped_run_exits_with_130(tmp_path, vit, monkeypatch):
    from finetune import progress

    settings = Settings(data=tmp_path / "data")
    fill(settings, 84)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "finetune", "--base", str(vit), "--out", str(out), "--no-proof"]
    command += ["--epochs", "40"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(settings), stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "epoch" and event["stage"] == "all" and event["epoch"] >= 2:
                process.kill()
                break
    assert process.returncode == -signal.SIGKILL
    assert not (out / "data").exists(), "no picture outlives a run, however it ends"
    entered = json.loads((out / "trained_on.json").read_text())
    with closing(open_store(settings)) as store:
        store.forget(entered[:3], datetime.now(UTC))
    as_line, seen = progress.as_line, []

    def stop_after_an_epoch(event):
        if "epoch" in seen:
            os.kill(os.getpid(), signal.SIGTERM)
        seen.append(event["event"])
        return as_line(event)

    with monkeypatch.context() as patch:
        patch.setattr(progress, "as_line", stop_after_an_epoch)
        status, events, _ = finetune(settings, *command[3:])
    assert status == 130
    # The head had learned, and of the other stage a pass at least was kept.
    first = next(event for event in events if event["event"] == "epoch")
    assert first["stage"] == "all" and first["epoch"] >= 2
    assert json.loads((out / "trained_on.json").read_text()) == entered
    assert not (out / "data").exists()
    status, (failed,), _ = finetune(settings, *command[3:-1], "41")
    assert status == 1 and "a run with other options" in failed["error"]


@pytest.mark.slow
def test_challenger_trained_on_60_imports_is_proved_by_numbers_only_visitors(tmp_path, monkeypatch):
    settings = Settings(data=tmp_path / "data", model="embedded")
    with closing(open_store(settings)) as store, closing(Registry.open(settings)) as registry:
        before = registry.champion().version
        fill(settings, 60, visitors=60, source="import")
        status, events, errors = finetune(settings, "--epochs", 12, VIBECHECK_MODEL="embedded")
        assert status == 0, errors
        version, reader = events[-1]["version"], Reader.open()
        assert registry.aliases()[CHALLENGER] == version and not events[-1]["promoted"]
        monkeypatch.setattr("vibecheck.models.shadow.AFTER", 0.0)
        shadow = ShadowModels(settings, lambda: store, lambda: reader.classifier)
        wait_for(lambda: shadow.active, "the shadow models")
        faces = [(face(number % 7, 60 + number), NAMES[number % 7]) for number in range(70)]
        for start in range(0, 70, 14):
            visit(store, reader, shadow, faces[start : start + 14], 14, NOW + start * DAY)
        shadow.stop()
        promoted = promotion.settle(registry, store.statistics, True, NOW + 80 * DAY)
        assert promoted is not None, registry.get(version).proof
        assert (promoted.version, promoted.replaced) == (version, before)


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path, vit):
    settings = Settings(data=tmp_path / "data")
    fill(settings, 84)
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "2", "--cpu"]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    launch += ["--main_process_port", "0", "-m", "finetune"]
    arguments = ["--base", str(vit), "--epochs", "2", "--no-proof", "--device", "cpu"]
    done = subprocess.run(
        [*launch, *arguments],
        cwd=ROOT,
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [event["event"] for event in events].count("finished") == 1
    with closing(Registry.open(settings)) as registry:
        assert set(registry.aliases()) == {CHALLENGER, CHAMPION}


def test_models_of_runs_that_start_in_the_same_second_have_different_names():
    from finetune.pipeline import _new_version

    assert len({_new_version(NOW) for _ in range(5)}) > 1
