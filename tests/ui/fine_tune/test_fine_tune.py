"""The fine-tune page in each of its states, with real records and a command that only prints events."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import update

from tests.models.test_promotion import audits
from tests.records.examples import a_prediction
from tests.records.rows import engine_of
from tests.training_runs.conftest import CHILD
from tests.ui.examples import face
from tests.waiting import wait_for
from vibecheck.access.roles import Role
from vibecheck.evaluation.compare import Comparison
from vibecheck.evaluation.proof import Proof, Verdict
from vibecheck.evaluation.report import BothScores, Changed, Report, Scores
from vibecheck.models.promotion import Trial
from vibecheck.models.registry import CHALLENGER, CHAMPION, Registry
from vibecheck.records.db.tables import jobs as jobs_table
from vibecheck.records.db.transactions import writing
from vibecheck.records.labels.pagination import Filters
from vibecheck.settings import Settings
from vibecheck.training_runs import resources
from vibecheck.training_runs.events import Collected, Finished, RunProgress, TrainingStep
from vibecheck.training_runs.runs import TrainingRuns
from vibecheck.training_runs.runs_table import FAILED, FINISHED
from vibecheck.ui.corrections.labelling_session import LabellingState
from vibecheck.ui.fine_tune import start_run
from vibecheck.ui.shared import comparisons
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.manifest import Manifest

PAGE = "pages/3_Fine-tune.py"
NOW = datetime.now(UTC).replace(microsecond=0)
CHAMP, NEW = Manifest.read(EMBEDDED).version, "tuned-1"
ID = "a" * 32


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    monkeypatch.setenv("VIBECHECK_MODEL", "embedded")
    monkeypatch.setattr("vibecheck.training_runs.runs.COMMAND", CHILD)
    monkeypatch.setattr("vibecheck.training_runs.estimate.free_mb", lambda: 64_000)


@pytest.fixture
def runs(store, tmp_path):
    opened = TrainingRuns.open(Settings(data=tmp_path), CHILD)
    yield opened
    opened.close()


@pytest.fixture
def registry(store):
    """The registry, in which the embedded model is champion."""
    opened = Registry(engine_of(store))
    opened.register(CHAMP, "VibeCheck", "embedded", {}, NOW - timedelta(days=9))
    opened.begin(CHAMP, "The first model.", NOW - timedelta(days=9))
    return opened


@pytest.fixture
def page(open_page, registry):
    """Opens the page as a trainer."""

    def open_it(**state):
        test = open_page(PAGE, Role.TRAINER)
        assert not test.exception
        if state:
            for name, value in state.items():
                test.session_state[name] = value
            test.run()
        return test

    return open_it


def labelled(store, label: str, count: int = 1, at: datetime = NOW, **changes) -> list[str]:
    """Predictions of "happy" with a picture and a label."""
    made = [a_prediction(made_at=at, picture_kept=True, **changes) for _ in range(count)]
    for prediction in made:
        store.add(prediction, face())
        store.label(prediction.id, label, "labeller", None, at)
    return [prediction.id for prediction in made]


def proof(proved: bool) -> Proof:
    reason = "Proved better." if proved else "Not proved: about 120 more audits needed."
    return Proof(proved, reason, 0 if proved else 120, CHAMP, 80, 48, 60, 24.0, NOW)


def finished_run(runs: TrainingRuns, registry: Registry, proved: bool, report: dict | None = None) -> None:
    """A run that came to a challenger."""
    registry.register(NEW, "fine-tuned", "/nowhere", {}, NOW, ["f" * 32])
    registry.challenge(NEW)
    registry.prove(NEW, proof(proved))
    runs.begin(ID, {"base": CHAMP}, "here", "1")
    runs.end(ID, FINISHED, f"{NEW} is ready.", RunProgress(finished=Finished(version=NEW)), "", report)


def said(test) -> str:
    """All words of the page."""
    html = [str(each.proto.body) for each in test.get("html")]
    plain = [each.value for kind in (test.markdown, test.warning, test.error, test.code) for each in kind]
    return " ".join([*html, *plain])


def button(test, key: str):
    return next(each for each in test.button if each.key == key)


def test_page_opens_only_for_trainers(open_page, store):
    test = open_page(PAGE, Role.ANALYST)
    assert "For trainers" in test.title[0].value and not said(test).count("New labels")


def test_page_without_labels_says_where_to_give_some(page):
    test = page()
    assert "No labels yet" in said(test) and "no label with a picture" in said(test)
    assert button(test, "ft-start").disabled


def test_labels_are_counted_by_mood_and_shown(store, page):
    labelled(store, "sad", 3)
    labelled(store, "happy", 2)
    words = said(page())
    assert ">5</span>" in words and "2 confirmed, 3 corrected" in words
    assert words.count("<figure") == 5 and "shown as happy" in words


def test_only_labels_given_since_the_champion_was_trained_are_new(store, registry, page):
    (old,) = labelled(store, "sad", at=NOW - timedelta(days=12))
    registry.register(CHAMP, "VibeCheck", "embedded", {}, NOW, [old])
    labelled(store, "fear")
    words = said(page())
    assert ">1</span>" in words and "Fear" in words and f"given since {CHAMP} was trained" in words


def test_cost_of_a_run_is_shown_before_the_start_button(store, page):
    labelled(store, "sad", 3)
    labelled(store, "happy", 2)
    test = page()
    assert (
        "<b>5</b> labels in all" in said(test) and "of memory" in said(test) and "M</b> weights" in said(test)
    )
    assert not button(test, "ft-start").disabled


def test_estimate_uses_the_duration_of_past_runs(store, page, runs, monkeypatch):
    labelled(store, "sad", 3)
    labelled(store, "happy", 2)
    monkeypatch.setattr("vibecheck.ui.fine_tune.start_run.psutil.getloadavg", lambda: (0.0, 0.0, 0.0))
    assert "about <b>a minute</b>" in said(page())
    runs.begin(ID, {"base": CHAMP}, resources.host(), "1")
    with writing(runs._engine) as connection:  # it took ten minutes
        connection.execute(update(jobs_table).values(started_at=datetime.now(UTC) - timedelta(minutes=10)))
    progress = RunProgress(collected=Collected(rows=5, train=3, validation=1), finished=Finished(version=NEW))
    runs.end(ID, FINISHED, f"{NEW} is ready.", progress)
    assert re.search(r"about <b>1[01] minutes</b>", said(page()))


def test_labels_of_one_mood_alone_are_refused(store, page):
    labelled(store, "sad", 3)
    test = page()
    assert "All labels are sad" in said(test) and button(test, "ft-start").disabled


def test_too_little_memory_is_shown_and_disables_the_start(store, page, monkeypatch):
    labelled(store, "sad")
    labelled(store, "happy")
    monkeypatch.setattr("vibecheck.training_runs.estimate.free_mb", lambda: 200)
    test = page()
    assert "Too little memory" in said(test) and "0.2 GB are free" in said(test)
    assert button(test, "ft-start").disabled


def test_start_button_starts_a_run_that_is_shown_until_its_end(store, page, runs):
    labelled(store, "sad")
    labelled(store, "happy")
    test = page()
    button(test, "ft-start").click().run()
    assert not test.exception and len(runs.history()) == 1
    asked = runs.history()[0].asked
    assert (asked["base"], asked["source"], asked["since"]) == (CHAMP, "store", None)
    wait_for(lambda: test.run() and "tuned-1 is ready" in said(test))
    assert "Past runs" in said(test) and not button(test, "ft-start").disabled


def test_a_run_may_be_limited_to_recent_vibe_checks(store, page):
    labelled(store, "sad", 2, NOW - timedelta(days=400))
    labelled(store, "sad", 2)
    labelled(store, "fear", 1)
    test = page()
    test.date_input(key="ft-since").set_value(date.today() - timedelta(days=3)).run()
    assert "<b>3</b> labels in all" in said(test)


def test_labels_that_look_wrong_are_mentioned_until_a_labeller_settles_them(store, page):
    sure = {"confidence": 0.97, "probabilities": (0.005,) * 3 + (0.97,) + (0.005,) * 3}
    doubtful = a_prediction(made_at=NOW, picture_kept=True, **sure)
    store.add(doubtful, face())
    store.label(doubtful.id, "sad", "volunteered", None, NOW)
    labelled(store, "fear", 2)
    labelled(store, "happy", 2, **sure)
    test = page()
    assert "1 new label looks wrong" in said(test) and "<b>5</b> labels in all" in said(test)
    store.label(doubtful.id, "sad", "labeller", "somebody", NOW)
    assert "looks wrong" not in said(test.run())


def test_invalid_hub_id_disables_the_start(store, page):
    labelled(store, "sad")
    labelled(store, "happy")
    test = page()
    test.selectbox[0].set_value(start_run.HUB).run()
    for other in ("../etc", "/models/mine", "embedded", 300 * "x"):
        test.text_input(key="ft-hub").set_value(other).run()
        assert "not the id of a model on the Hub" in said(test) and button(test, "ft-start").disabled
        assert not test.exception
    test.text_input(key="ft-hub").set_value("owner/name").run()
    assert not button(test, "ft-start").disabled and "assumed: a ViT-B/16" in said(test)


def test_missing_folder_is_named(store, page, tmp_path):
    test = page()
    test.selectbox(key="ft-source").set_value("files").run()
    assert "Name the folder" in said(test)
    test.text_input(key="ft-path").set_value("/nowhere/faces").run()
    assert "/nowhere/faces does not exist" in said(test)
    test.text_input(key="ft-path").set_value("/" + 300 * "x").run()
    assert not test.exception and "xxx does not exist or cannot be read" in said(test)
    test.text_input(key="ft-path").set_value(str(tmp_path)).run()
    assert not button(test, "ft-start").disabled
    test.text_input(key="ft-reference").set_value("/nowhere/else").run()
    assert "/nowhere/else does not exist" in said(test)


def test_run_of_another_copy_is_shown_and_can_be_cancelled(store, page, runs):
    labelled(store, "sad")
    labelled(store, "happy")
    runs.begin(ID, {"base": CHAMP}, "away", "another machine")
    found = Collected(rows=10, train=7, held_out=3, left_out={"can't tell": 2})
    progress = (
        RunProgress().heard(found).heard(TrainingStep(stage="all", epoch=2, of=8, done=0.25, minutes_left=4))
    )
    runs.renew(ID, 7, progress, "epoch 2")
    test = page()
    assert "on away" in said(test) and "Training all layers" in said(test) and "epoch 2" in said(test)
    assert "<b>7</b> to train on" in said(test) and button(test, "ft-start").disabled
    button(test, "ft-cancel").click().run()
    assert runs.cancel_asked(ID) and button(test, "ft-cancel").disabled


def test_a_run_that_failed_says_why_until_it_is_dismissed(page, runs):
    runs.begin(ID, {"base": CHAMP}, "here", "1")
    runs.end(ID, FAILED, "There are too few labels.", log="the last words")
    test = page()
    assert "The last run failed" in said(test) and "too few labels" in said(test)
    assert "the last words" in said(test)
    button(test, "ft-dismiss").click().run()
    assert "The last run failed" not in said(test) and "failed: There are too few labels." in said(test)


def test_proved_challenger_is_promoted_and_rolled_back_by_one_press_each(page, runs, registry):
    finished_run(runs, registry, proved=True)
    test = page()
    assert "Proved better" in said(test) and "60 of 80 labels right" in said(test)
    button(test, "ft-promote").click().run()
    assert registry.aliases()[CHAMPION] == NEW and "Verdict" not in said(test)
    other_tab = page()
    button(test, f"ft-rollback-{NEW}").click().run()
    assert registry.aliases()[CHAMPION] == CHAMP
    button(other_tab, f"ft-rollback-{NEW}").click().run()
    assert registry.aliases()[CHAMPION] == CHAMP, "the rollback is not rolled back"
    assert f"The champion is now {CHAMP}, not {NEW}." in other_tab.toast[0].value


def test_promotion_from_an_old_tab_records_why_it_replaces_the_champion_that_runs(page, runs, registry):
    finished_run(runs, registry, proved=True)
    page()
    old = Trial(NEW, "before", 1, Comparison(9, 0, 9, 9, 0, 99.0), Verdict(True, "Better than before.", 0))
    comparisons.promote_proved(old)
    made = registry.promotions()[0]
    assert (made.version, made.replaced, made.why) == (NEW, CHAMP, "Proved better.")
    assert registry.get(NEW).proof.against == CHAMP


def test_unproved_challenger_is_promoted_only_with_a_recorded_reason(page, runs, registry):
    finished_run(runs, registry, proved=False)
    test = page()
    assert "Not proved better" in said(test) and "about 120 more audits" in said(test)
    assert not [each for each in test.button if each.key == "ft-promote"]
    button(test, "ft-override").click().run()
    assert registry.aliases()[CHAMPION] == CHAMP and "Give a reason first" in test.toast[0].value
    test.text_area(key="ft-why").set_value("  the old one is broken ").run()
    button(test, "ft-override").click().run()
    assert registry.aliases()[CHAMPION] == NEW
    promotion = registry.promotions()[0]
    assert (promotion.kind, promotion.why) == ("override", "the old one is broken")
    assert "Promoted without proof" in said(test) and "the old one is broken" in said(test)


def test_a_proof_against_an_earlier_champion_does_not_count_as_one_against_this(store, page, runs, registry):
    finished_run(runs, registry, proved=True)
    registry.register("third", "a test", "/nowhere", {}, NOW)
    registry.promote("third", "a hunch", NOW, override=True)
    test = page()
    assert f"Proved better than {CHAMP}" in said(test)
    assert not [each for each in test.button if each.key == "ft-promote"]
    audits(store, 5, NOW, third=False, **{NEW: True})
    assert "Not proved better" in said(page()) and "won 5" in said(page())


def test_comparison_in_progress_shows_its_score_until_it_is_proved(store, page, runs, registry):
    finished_run(runs, registry, proved=False)
    audits(store, 5, NOW, **{CHAMP: False, NEW: True})
    audits(store, 90, NOW, **{CHAMP: True, NEW: True})
    words = said(page())
    assert "won 5" in words and "same 90" in words and "lost 0" in words and "20 proves it" in words
    assert re.search(r"About [\d,]+ more audits", words) and "95 of 95 labels right" in words
    audits(store, 5, NOW + timedelta(minutes=1), **{CHAMP: False, NEW: True})
    test = page()
    assert "Proved better" in said(test) and "won 10" in said(test)
    button(test, "ft-promote").click().run()
    assert registry.aliases()[CHAMPION] == NEW and "won 10 and lost 0" in registry.promotions()[0].why


def test_previous_champion_that_is_better_is_shown_and_can_be_restored(store, page, registry):
    registry.register(NEW, "fine-tuned", "/nowhere", {}, NOW)
    registry.promote(NEW, "a hunch", NOW, override=True)
    audits(store, 6, NOW + timedelta(hours=1), **{CHAMP: True, NEW: False})
    assert "promoted over it" not in said(page())
    audits(store, 10, NOW + timedelta(hours=2), **{CHAMP: True, NEW: False})
    test = page()
    assert f"{CHAMP} is better than {NEW}, which was promoted over it" in said(test)
    button(test, "guard-rollback").click().run()
    assert registry.aliases()[CHAMPION] == CHAMP and "promoted over it" not in said(test)


def test_a_challenger_is_kept_or_discarded(page, runs, registry):
    finished_run(runs, registry, proved=False)
    test = page()
    button(test, "ft-keep").click().run()
    assert "Verdict" not in said(test) and registry.aliases()[CHALLENGER] == NEW
    test = page()
    button(test, "ft-discard").click().run()
    assert CHALLENGER not in registry.aliases() and "discarded" in said(test)


def scores(right: int, ece: float) -> Scores:
    row = (1, 0, 0, 0, 0, 0, 0)
    return Scores(
        80, right, right / 80, 0.5, ece, 0.02, {"happy": (right - 40, 40), "sad": (20, 40)}, (row,) * 7
    )


def test_report_shows_its_figures_and_the_pictures_that_still_exist(store, page, runs, registry):
    (there,) = labelled(store, "sad")
    changed = [Changed(each, "sad", "happy", 0.7, "sad", 0.6) for each in (there, "e" * 32)]
    report = Report(
        NEW, CHAMP, NOW, False, "Not proved.", 120, 30, {},
        Comparison(80, 48, 60, 17, 5, 24.0), Comparison(50, 40, 41, 3, 2, 1.0),
        BothScores(scores(48, 0.08), scores(60, 0.05)), tuple(changed),
    )  # fmt: skip
    finished_run(runs, registry, False, report.plain())
    words = said(page())
    assert "won 17" in words and "lost 5" in words and "reference set of 50 pictures" in words
    assert "20 of 40 recognised, by the champion 8" in words and "points off" in words
    assert '<figure title="Sad, not happy"><img src="data:image/jpeg' in words
    assert '<figure title="Sad, not happy"><span class="vc-emoji" role="img" aria-label="No picture' in words


def test_malformed_report_still_shows_the_verdict(page, runs, registry):
    finished_run(runs, registry, True, {"proved": "<script>"})
    assert "Proved better" in said(page())


def test_versions_trained_on_deleted_data_are_marked(store, page, registry):
    (learned,) = labelled(store, "sad")
    registry.register(NEW, "fine-tuned", "/nowhere", {}, NOW, [learned])
    store.forget([learned], NOW)
    assert "trained on 1 picture deleted since" in said(page())


def test_html_in_names_and_reasons_is_escaped(page, runs, registry):
    registry.register("x", "<b>bold</b>", "/nowhere", {}, NOW)
    registry.promote("x", "<script>alert(1)</script>", NOW, override=True)
    runs.begin(ID, {"base": "<i>"}, "<u>", "1")
    runs.end(ID, FAILED, "<s>gone</s>", log="<log>")
    words = said(page())
    for tag in ("<script>alert", "<b>bold", "<i>", "<u>", "<s>"):
        assert tag not in words


def test_records_that_cannot_be_read_show_an_error(open_page, store, monkeypatch, tmp_path):
    monkeypatch.setenv("VIBECHECK_DATABASE_URL", f"sqlite:///{tmp_path}")
    test = open_page(PAGE, Role.TRAINER)
    assert not test.exception and "is not a file" in test.error[0].value


def test_labellers_who_often_disagree_are_named_and_their_labels_linked(store, page):
    given = [(by, "sad", "sad") for by in (("ann", "ben"), ("ben", "cat"), ("cat", "ann")) * 5]
    given += [((other, "m4llory"), "sad", "fear") for other in ("ann", "ben", "cat") * 3]
    for (first, second), one, other in given:
        prediction = a_prediction(made_at=NOW, picture_kept=True, visitor=None)
        store.add(prediction, face())
        store.label(prediction.id, one, "labeller", first, NOW, "random")
        store.label(prediction.id, other, "labeller", second, NOW, "random")
    test = page()
    (warned,) = [each.value for each in test.warning if "the others agree on" in each.value]
    assert warned.startswith(
        "Labeller m4ll and the others agree on 0% of 9 faces; the others among themselves on 100%"
    )
    assert "24</span>" in said(test), "their labels are counted all the same"
    picked = LabellingState([None, (NOW, prediction.id)], prediction.id)
    test.session_state["corrections"] = picked  # on an older page, before
    button(test, "ft-review-m4llory").click()
    test.run()
    assert test.session_state["filter-labeller"] == "m4llory" and test.session_state.view == "all"
    assert (picked.trail, picked.picked) == ([None], None)
    assert len(store.page(Filters(labeller="m4llory"), None, 99)) == 9
