"""Comparisons with the champion that are in progress, their proofs, and the resulting promotions.

The challenger and the embedded model are compared with the champion on all labels that judge both (see
`records/labels/judging_labels.py`). After a promotion the champion before it is compared with the new one on
labels given since: a guard, which is a separate test. They are valid however often one looks (see
`evaluation/evidence.py`); `settle` does so in the background.
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from vibecheck.analytics import model_comparison
from vibecheck.analytics.model_comparison import GroupScore, compared, same_faces, scores_by
from vibecheck.errors import ModelError
from vibecheck.evaluation import evidence
from vibecheck.evaluation.compare import Comparison, judge
from vibecheck.evaluation.evidence import settled_name, settled_of
from vibecheck.evaluation.proof import Proof, Verdict
from vibecheck.models.compared import candidates, watched_promotion
from vibecheck.models.registry import Registry
from vibecheck.models.version import Version
from vibecheck.records.labels.judging_labels import JudgedReadings
from vibecheck.records.stats.queries import StatisticsQueries
from vibecheck.records.values import Promotion
from vibecheck.vision.model_source import EMBEDDED_NAME

# The end of the reason of an automatic promotion or rollback.
BY_ITSELF = "Done by VibeCheck itself, as VIBECHECK_AUTO_PROMOTE asks."

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trial:
    """How `version` compares with the champion `against`: the score so far, and the verdict.

    It is the `attempt`-th challenger of this champion. `moods` and `slices` have the score by mood and by
    error slice, where `trials` was asked for them. What was proved before stays proved, so the verdict may
    rest on more than `seen`. For a guard, `since` is when `against` was promoted.
    """

    version: str
    against: str
    attempt: int
    seen: Comparison
    verdict: Verdict
    moods: tuple[GroupScore, ...] = ()
    slices: tuple[GroupScore, ...] = ()
    since: datetime | None = None

    @property
    def threshold(self) -> float:
        """The evidence that proves it."""
        return evidence.threshold(self.attempt)


def trials(registry: Registry, statistics: StatisticsQueries, by_group: bool = False) -> tuple[Trial, ...]:
    """The comparisons of the challenger and the embedded model with the champion. Raises RecordsError.

    With `by_group`, also by mood and error slice.
    """
    champion = registry.champion().version
    others = candidates(registry, champion)
    if not others:
        return ()
    found = statistics.judged((champion, *others))
    return tuple(_trial(registry, found, registry.get(each), champion, by_group) for each in others)


def guard(registry: Registry, statistics: StatisticsQueries) -> Trial | None:
    """How the previous champion compares with the one that was promoted over it, since then.

    None where no promotion is watched. Raises RecordsError.
    """
    watched = watched_promotion(registry)
    if watched is None or watched.replaced is None:
        return None
    champion, before = watched.version, watched.replaced
    found = statistics.judged((champion, before))
    settled = settled_of(registry.get(before).metrics, champion, watched.made_at)
    seen = compared(same_faces(found, champion, before, watched.made_at), settled)
    return Trial(before, champion, 1, seen, judge(seen), since=watched.made_at)


def rollback_advice(trial: Trial | None) -> str:
    """Why to roll back, in a sentence; empty unless `guard` proved the previous champion better."""
    if trial is None or not trial.verdict.proved:
        return ""
    return (
        f"{trial.version} is better than {trial.against}, which was promoted over it. {trial.verdict.reason}"
    )


def settle_bets(
    registry: Registry, statistics: StatisticsQueries, retention: timedelta, now: datetime
) -> None:
    """Settles the bets on vibe checks that will be deleted in less than half the `retention`.

    Bets of the last quarter stay open for late labels. Raises RecordsError.
    """
    champion, watched = registry.champion().version, watched_promotion(registry)
    pairs: list[tuple[str, datetime | None]] = [(each, None) for each in candidates(registry, champion)]
    if watched and watched.replaced:
        pairs.append((watched.replaced, watched.made_at))
    found = statistics.judged((champion, *(version for version, _ in pairs)))
    for version, since in pairs:
        before = settled_of(registry.get(version).metrics, champion, since)
        faces = same_faces(found, champion, version, since)
        oldest = model_comparison.oldest_open(faces, before)
        if oldest is not None and oldest < now - retention / 2:
            new = model_comparison.settle(faces, before, until=now - retention / 4)
            registry.note(version, settled_name(champion, since), new.plain())


def settle(
    registry: Registry, statistics: StatisticsQueries, promote: bool, now: datetime
) -> Promotion | None:
    """Stores new proofs with their versions; returns the promotion or rollback, if there was one.

    Only with `promote` (`Settings.auto_promote`): the challenger or the embedded model, once proved better
    and never promoted before; and back to the previous champion, once that is proved better again. Raises
    RecordsError.
    """
    try:
        made = registry.promotions()
        if made and made[0].made_at > now:  # else the guard would see no label until then
            registry.correct_times(now)
        watched = guard(registry, statistics)
        if watched is not None and (advice := rollback_advice(watched)):
            _withdraw_proof(registry, watched, advice, now)
            if promote:
                log.warning("Rolled back: %s", advice)
                return registry.rollback(now, f"{advice} {BY_ITSELF}", champion=watched.against)
        before = {each.version for each in registry.promotions() if each.kind != "first"}
        for trial in trials(registry, statistics):
            keep_proof(registry, trial, now)
            if trial.verdict.proved and promote and trial.version not in before:
                log.info("%s is promoted: %s", trial.version, trial.verdict.reason)
                return registry.promote(trial.version, f"{trial.verdict.reason} {BY_ITSELF}", now)
    except ModelError as error:  # another process decided first
        log.info("Nothing was decided: %s", error)
    return None


def _withdraw_proof(registry: Registry, guard: Trial, advice: str, now: datetime) -> None:
    """Withdraws the proof that the guard refutes; only vibe checks made since can prove the version again."""
    proof = registry.get(guard.against).proof
    if proof is None or not proof.proved or proof.against != guard.version:
        return
    again = evidence.settle((), (), until=now)
    registry.note(guard.against, settled_name(guard.version), again.plain())
    new = replace(
        proof,
        proved=False,
        reason=advice,
        needed=None,
        n=guard.seen.n,
        champion=guard.seen.challenger,
        challenger=guard.seen.champion,
        evidence=None,
        judged_at=now,
        attempt=registry.attempt(guard.against, guard.version, take=True, again=True),
    )
    registry.prove(guard.against, new)


def keep_proof(registry: Registry, trial: Trial, now: datetime) -> None:
    """Stores a version's proof; before that, its first verdict, which fixes its attempt number.

    A trial against an earlier champion, from a page that was open since, is not stored, nor one whose number
    another version has taken since: at the next look it has the next number.
    """
    if trial.against != registry.champion().version:
        return
    version = registry.get(trial.version)
    before = version.proof
    if before is not None and before.against == trial.against:
        new = trial.verdict.proved and not before.proved
    else:
        begins = trial.seen.n > 0 and version.source != EMBEDDED_NAME
        new = trial.verdict.proved or begins
    if not new or registry.attempt(trial.version, trial.against, take=True) != trial.attempt:
        return
    found, seen = trial.verdict, trial.seen.figures
    report = before.report if before else ""  # deletions reach the report by it
    proof = Proof(found.proved, found.reason, found.needed, trial.against, *seen, now, report, trial.attempt)
    registry.prove(trial.version, proof)


def _trial(
    registry: Registry, found: JudgedReadings, version: Version, champion: str, by_group: bool
) -> Trial:
    attempt = registry.attempt(version.version, champion)
    faces = same_faces(found, champion, version.version)
    seen = compared(faces, settled_of(version.metrics, champion))
    verdict, kept = judge(seen, attempt=attempt), version.proof
    if kept is not None and kept.against == champion and (kept.proved or kept.veto):
        verdict = kept
    trial = Trial(version.version, champion, attempt, seen, verdict)
    if not by_group:
        return trial
    moods = scores_by(faces, lambda each: (each.label,))
    return replace(trial, moods=tuple(moods), slices=tuple(scores_by(faces, lambda each: each.slices)))
