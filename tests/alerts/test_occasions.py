from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.databases import open_store
from tests.records.examples import JPEG, a_prediction
from tests.records.rows import engine_of
from vibecheck.alerts.occasions import current
from vibecheck.evaluation.compare import Comparison
from vibecheck.evaluation.proof import Proof, Verdict
from vibecheck.models import promotion
from vibecheck.models.registry import Registry
from vibecheck.records import bulk
from vibecheck.records.db.transactions import writing
from vibecheck.records.stats import summaries
from vibecheck.records.values import Feedback
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.manifest import Manifest

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
CHAMPION = Manifest.read(EMBEDDED)


def told(store, settings) -> dict[str, str]:
    return {alert.event: alert.text for alert in current(store, settings, NOW)}


def test_new_installation_has_no_alerts(store, settings):
    assert told(store, settings) == {}


def test_comparison_raises_an_alert_once_decided_but_not_if_it_is_old(store, settings):
    registry = Registry(engine_of(store))
    for version, proved, judged_at in (
        ("better", True, NOW - DAY),
        ("open", False, NOW),
        ("long ago", True, NOW - 8 * DAY),
    ):
        registry.register(version, "fine-tuned", "/nowhere", {}, NOW, ["f" * 32])
        reason = "Proved better." if proved else "About 120 more audits needed."
        registry.prove(version, Proof(proved, reason, 0, CHAMPION.version, 80, 48, 60, 24.0, judged_at))
    (alert,) = current(store, settings, NOW)
    assert alert.event == "comparison" and not alert.lasting
    assert alert.text.startswith(f"better is proved better than {CHAMPION.version}. Proved better.")
    registry.discard("better", NOW)
    assert current(store, settings, NOW) == []


def test_promotion_that_turns_out_worse_raises_an_alert(store, settings, monkeypatch):
    verdict = Verdict(True, "Proved better.", 0)
    worse = promotion.Trial("before", "after", 1, Comparison(80, 48, 60, 20, 8), verdict, since=NOW)
    monkeypatch.setattr(promotion, "guard", lambda *_: worse)
    (alert,) = current(store, settings, NOW)
    worse = replace(worse, since=NOW + DAY)
    (again,) = current(store, settings, NOW)
    assert again.key != alert.key, "promoted again, it is told again"
    assert alert.event == "comparison" and not alert.lasting
    assert alert.text.startswith("before is better than after, which was promoted over it. Proved better.")


def test_only_an_automatic_rollback_raises_an_alert(store, settings):
    registry = Registry.open(settings)
    registry.register("worse", "fine-tuned", "/nowhere", {}, NOW, ["f" * 32])
    for why in ("Somebody pressed.", f"It was worse. {promotion.BY_ITSELF}"):
        registry.promote("worse", "To try it.", NOW, override=True)
        registry.rollback(NOW, why)
    registry.close()
    (alert,) = current(store, settings, NOW)
    assert alert.event == "comparison" and alert.text.startswith("It was worse. Done by VibeCheck itself")


def test_alert_on_records_rejected_by_comet_gives_only_their_number(tmp_path, settings):
    opened = open_store(Settings(data=tmp_path, comet_api_key="k"))
    prediction = a_prediction(visitor="a-visitor", picture_kept=True)
    opened.add(prediction, JPEG)
    outbox = opened.outbox()
    (claimed,) = outbox.claim(9)
    outbox.set_aside(claimed, f"Comet refuses input_{prediction.id}.jpg")
    text = told(opened, settings)["set_aside"]
    opened.close()
    assert text.startswith("Comet rejected 1 record, now set aside.")
    assert prediction.id not in text and "a-visitor" not in text


def test_another_distribution_of_moods_from_another_model_is_no_drift(store, settings):
    registry = Registry(engine_of(store))
    registry.register(CHAMPION.version, "VibeCheck", "embedded", {}, NOW - 60 * DAY)
    registry.begin(CHAMPION.version, "The first.", NOW - 60 * DAY)
    made = [
        a_prediction(
            mood=mood, visitor=f"{mood}-{n}", made_at=NOW - (first + n % 5) * DAY, model_version=version
        )
        for mood, version, first in (("happy", "before", 60), ("sad", CHAMPION.version, 2))
        for n in range(130)
    ]
    with writing(engine_of(store)) as connection:
        bulk.write(connection, bulk.Records(made, [], []))
        summaries.rebuild(connection)
    assert "drift" not in told(store, settings)


def test_alerts_on_drift_and_retraining_contain_no_personal_data(store, settings):
    """Hundreds of dark faces after as many bright ones, and enough corrections of them."""
    registry = Registry(engine_of(store))
    registry.register(CHAMPION.version, "VibeCheck", "embedded", {}, NOW - 60 * DAY)
    registry.begin(CHAMPION.version, "The first.", NOW - 60 * DAY)
    good = a_prediction().quality
    dark = [
        a_prediction(
            visitor=f"visitor-{number}",
            made_at=NOW - (2 + number % 5) * DAY,
            model_version=CHAMPION.version,
            picture_kept=True,
            quality=replace(good, light=20.0),
        )
        for number in range(130)
    ]
    bright = [
        a_prediction(
            visitor=f"before-{number}",
            made_at=NOW - (60 + number % 5) * DAY,
            model_version=CHAMPION.version,
        )
        for number in range(130)
    ]
    labels = [Feedback(each.id, 1, "sad", "labeller", None, NOW - DAY) for each in dark]
    with writing(engine_of(store)) as connection:
        bulk.write(connection, bulk.Records([*dark, *bright], labels, []))
        summaries.rebuild(connection)
    found = told(store, settings)
    assert "Drift in light" in found["drift"]
    assert f"It is time to retrain {CHAMPION.version}." in found["retrain"] and "130" in found["retrain"]
    assert not any("visitor" in text or "before-" in text for text in found.values())
    assert [alert.key for alert in current(store, settings, NOW)] == [
        f"retrain {CHAMPION.version}",
        "drift Light",
    ]
