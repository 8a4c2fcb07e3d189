"""What is worth an alert at this moment: sentences about models and counts, never about people."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

from vibecheck.alerts.alert import Alert
from vibecheck.analytics import words
from vibecheck.analytics.overview import ModelInUse, compute_model_status
from vibecheck.models.installed import champion_manifest
from vibecheck.models.registry import Entry, Registry
from vibecheck.records.store import Store
from vibecheck.settings import Settings

# A comparison that was decided longer ago is no news: alerts may have been set up since.
NEWS = timedelta(days=7)


def current(store: Store, settings: Settings, now: datetime) -> list[Alert]:
    """All that is worth an alert now. Raises RecordsError and ModelError."""
    if store.synthetic():
        return []
    manifest = champion_manifest(settings)
    champion = ModelInUse(manifest.version, manifest.promised_accuracy)
    status = compute_model_status(store.statistics, store.trainable, champion, now.astimezone(UTC).date())
    with closing(Registry.open(settings)) as registry:
        entries = registry.history()
    alerts = []
    if status.retrain.recommended:
        reasons = " ".join(check.reason for check in status.retrain.checks if check.passed)
        text = f"It is time to retrain {champion.version}. {reasons} Open Fine-tune to start."
        alerts.append(Alert("retrain", f"retrain {champion.version}", text))
    if drifting := status.drift.drifting:
        signals = ", ".join(shift.title for shift in drifting)
        alerts.append(Alert("drift", f"drift {signals}", words.on_drift(status.drift)))
    alerts += [each for entry in entries for each in _decided(entry, now)]
    if rejected := sum(store.outbox().state().set_aside.values()):
        text = (
            f"Comet rejected {rejected:,} record{'s' * (rejected != 1)}, now set aside. The sidebar says why "
            "to analysts and trainers, and tries again there."
        )
        alerts.append(Alert("set_aside", "set_aside", text))
    return alerts


def _decided(entry: Entry, now: datetime) -> list[Alert]:
    """A comparison with the champion of that time that was decided lately."""
    proof = entry.version.proof
    if proof is None or not proof.proved or entry.discarded_at or now - proof.judged_at > NEWS:
        return []
    version = entry.version.version
    text = f"{version} is proved better than {proof.against}. {proof.reason} Open Fine-tune to promote it."
    return [Alert("comparison", f"comparison {version} {proof.against}", text, lasting=False)]
