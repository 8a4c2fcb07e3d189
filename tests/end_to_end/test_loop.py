"""The whole loop: see, ask, correct, retrain, prove, go live, and trace it back."""

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.harness.page_client import Visitor
from tests.databases import open_store
from tests.end_to_end.conftest import check_vibe
from tests.finetune.corrected import fill
from tests.waiting import wait_for
from vibecheck.check import PER_VISITOR
from vibecheck.models.registry import CHAMPION, PREVIOUS, Registry
from vibecheck.settings import Settings

pytestmark = pytest.mark.browser  # alone beside other tests: it trains while an app runs
ROOT = Path(__file__).parents[2]


def finetune(data: Path, *options: str) -> list[dict]:
    """What python -m finetune says, told apart by its events."""
    environment = {"VIBECHECK_DATA": str(data), "VIBECHECK_MODEL": "embedded", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "finetune", "--json", *options],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_feedback_trains_a_better_model_that_goes_live(run_app):
    app = run_app()
    settings = Settings(data=app.data, model="embedded")
    with Visitor(app.ready()) as tab:
        mine = check_vibe(tab)
        tab.pick("answer-", 0)  # "Yes", to an audit
        audited = fill(settings, 168, visitors=42)
        corrected = fill(settings, 42, visitors=12, source="volunteered", start=168)
        with closing(open_store(settings)) as store:
            before = store.get(mine)
        events = finetune(app.data, "--source", "store", "--epochs", "6", "--promote-if-better")
        collected, finished = events[0], events[-1]
        assert collected["rows"] == 1 + len(audited) + len(corrected)
        assert finished["proved"] and finished["promoted"]
        with closing(Registry.open(settings)) as registry:
            new = finished["version"]
            aliases = registry.aliases()
            assert (aliases[CHAMPION], aliases[PREVIOUS]) == (new, before.model_version)
            learned = list(registry.record(new).trained_on)
            (promotion, *_) = registry.promotions()
        assert promotion.kind == "promotion" and "Proved better" in promotion.why
        assert collected["train"] + collected["validation"] == len(learned)
        assert set(learned) < {mine, *audited, *corrected}
        judging = next(event for event in events if event["event"] == "judged")
        assert judging["n"] <= len(set(audited) - set(learned)) + 1  # nobody's who was trained on

        versions = set()

        def swapped() -> bool:
            with closing(open_store(settings)) as store:
                versions.add(store.get(check_vibe(tab)).model_version)
            time.sleep(60 / PER_VISITOR)
            return new in versions

        wait_for(swapped, "the running app to change to the new champion")
        assert versions <= {before.model_version, new}
    access = app.link("Dashboard").partition("?")[2]
    with Visitor(app.url, page="Dashboard", query=access) as analyst:
        analyst.use("searched", string_value=learned[0])
        assert analyst.errors() == []
        assert "Models trained on it" in analyst.text() and new in analyst.text()
