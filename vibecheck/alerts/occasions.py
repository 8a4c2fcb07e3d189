"""The current reasons for an alert: sentences about models and counts, never about people."""

from datetime import UTC, datetime, timedelta

from vibecheck.alerts.webhook import Alert
from vibecheck.analytics import words
from vibecheck.analytics.overview import compute_model_status
from vibecheck.models import promotion
from vibecheck.models.installed import champion_manifest
from vibecheck.models.registry import CHAMPION, Registry
from vibecheck.records.store import Store
from vibecheck.settings import Settings
from vibecheck.text.plurals import counted

# Older comparisons are not reported: alerts may have been set up since.
NEWS = timedelta(days=7)


def current(store: Store, settings: Settings, now: datetime) -> list[Alert]:
    """All current reasons for an alert. Raises RecordsError and ModelError."""
    if store.synthetic():
        return []
    manifest = champion_manifest(settings)
    status = compute_model_status(store.statistics, store.trainable, manifest, now.astimezone(UTC).date())
    with Registry.open(settings) as registry:
        alerts = _decided(registry, store, now)
    if status.retrain.recommended:
        reasons = " ".join(check.reason for check in status.retrain.checks if check.passed)
        text = f"It is time to retrain {status.champion}. {reasons} Open Fine-tune to start."
        alerts.append(Alert("retrain", f"retrain {status.champion}", text))
    if drifting := status.drift.drifting:
        signals = ", ".join(shift.title for shift in drifting)
        alerts.append(Alert("drift", f"drift {signals}", words.on_drift(status.drift)))
    if rejected := sum(store.outbox().state().set_aside.values()):
        text = (
            f"Comet rejected {counted(rejected, 'record')}, now set aside. The sidebar says why to "
            "analysts and trainers, and tries again there."
        )
        alerts.append(Alert("set_aside", "set_aside", text))
    return alerts


def _decided(registry: Registry, store: Store, now: datetime) -> list[Alert]:
    """Comparisons that were decided recently: for a version, or against the one that was promoted."""
    texts: dict[str, str] = {}
    for version in reversed(registry.versions()):
        proof = version.proof
        if proof and proof.proved and not version.discarded_at and now - proof.judged_at <= NEWS:
            then = "It is live." if CHAMPION in version.aliases else "Open Fine-tune to promote it."
            text = f"{version.version} is proved better than {proof.against}. {proof.reason} {then}"
            texts[f"comparison {version.version} {proof.against}"] = text
    guard = promotion.guard(registry, store.statistics)
    if guard is not None and guard.since and (advice := promotion.rollback_advice(guard)):
        key = f"guard {guard.version} {guard.against} {guard.since.isoformat()}"
        texts[key] = f"{advice} Open Fine-tune to roll back."
    for each in registry.promotions():
        by_itself = each.kind == "rollback" and each.why.endswith(promotion.BY_ITSELF)
        if by_itself and now - each.made_at <= NEWS:
            texts[f"rollback {each.version} {each.made_at.isoformat()}"] = each.why
    return [Alert("comparison", key, text, lasting=False) for key, text in texts.items()]
