"""Checks each part of an installation: whether it works, and what to set if not."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vibecheck.access.roles import providers
from vibecheck.alerts import webhook
from vibecheck.errors import SettingsError, VibeCheckError
from vibecheck.models.installed import InstalledModels
from vibecheck.models.registry import Registry
from vibecheck.music.recommender import Music
from vibecheck.records.pictures import Pictures
from vibecheck.records.store import Store
from vibecheck.settings import Settings, without_effect
from vibecheck.settings.files import read_secrets
from vibecheck.video.ice import find_relay
from vibecheck.vision.classifier import EMBEDDED, Classifier, label_mapping
from vibecheck.vision.detector import WEIGHTS, FaceDetector
from vibecheck.vision.model_source import EMBEDDED_NAME, Embedded, HubModel, ModelFolder

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """One part: whether it works, a sentence, and whether VibeCheck needs it."""

    part: str
    works: bool
    sentence: str
    needed: bool


def examine(settings: Settings) -> Iterator[Finding]:
    """Use every part once, and say whether it works."""
    parts: tuple[tuple[str, Callable[[Settings], str], bool], ...] = (
        ("model", _model, True),
        ("face detector", _detector, True),
        ("records", lambda each: Store.open(each.records_url, each.images_url).check(), True),
        ("pictures", lambda each: Pictures(each.images_url).check(), True),
        ("access", _access, True),
        ("settings", _names, False),
        ("live model", _live_model, False),
        ("Spotify", lambda each: Music.open(each).check(), False),
        ("Comet", _comet, False),
        ("camera relay", _relay, False),
        ("alerts", _alerts, False),
    )
    for part, look, needed in parts:
        try:
            yield Finding(part, True, look(settings), needed)
        except VibeCheckError as error:
            yield Finding(part, False, str(error), needed)
        except Exception as error:  # any exception of a library is a finding, too
            log.debug("%s", part, exc_info=True)
            kind, said = type(error).__name__, " ".join(str(error).split())
            yield Finding(part, False, f"This could not be checked ({kind}: {said}).", needed)


def _model(settings: Settings) -> str:
    classifier = Classifier.load(EMBEDDED, settings.threads)
    return f"{classifier.version} reads faces of {classifier.side} px ({classifier.manifest.origin})."


def _live_model(settings: Settings) -> str:
    with Registry.open(settings) as registry:
        champion, source = registry.champion(), settings.source
        provisional = registry.champion_is_provisional()
    if provisional and not isinstance(source, Embedded):
        try:
            return _first_model(source, settings)
        except VibeCheckError as error:
            raise VibeCheckError(f"{error} Meanwhile the embedded model runs.") from error
    if champion.source == EMBEDDED_NAME:
        return f"The champion is {champion.version}, which ships with VibeCheck."
    there = InstalledModels(settings.data).find(champion.version)
    if there is None:
        raise VibeCheckError(
            f"The champion {champion.version} is not ready on this machine: the app makes it from "
            f"{champion.source} when it runs, or: python -m vibecheck compile {champion.source}"
        )
    report = there.report
    return f"The champion {champion.version} runs as {report['candidate']}: {report['ms']:.3g} ms a face."


def _first_model(source: HubModel | ModelFolder, settings: Settings) -> str:
    if isinstance(source, ModelFolder):
        label_mapping(source.path)
        return f"{source} becomes the first champion when the app starts."
    from vibecheck.export import hub

    commit = hub.resolve(source, settings.hf_token.get_secret_value() if settings.hf_token else None)
    what = f"{commit.size / 1e6:.0f} MB, commit {commit.model.revision:.12}"
    return f"{source} can be fetched ({what}): the app does it when it starts."


def _detector(settings: Settings) -> str:
    FaceDetector()
    return f"YuNet ({WEIGHTS.name})."


def _access(settings: Settings) -> str:
    lists = {"LABELLERS": settings.labellers, "ANALYSTS": settings.analysts, "TRAINERS": settings.trainers}
    named = [f"VIBECHECK_{name}" for name, guests in lists.items() if guests]
    known = providers(read_secrets().get("auth"))
    if known:
        if not named:
            raise SettingsError(
                "People can sign in, but nobody has a role: name them in VIBECHECK_LABELLERS, "
                "VIBECHECK_ANALYSTS or VIBECHECK_TRAINERS."
            )
        unused = " VIBECHECK_ACCESS_TOKEN is not used beside it." * bool(settings.access_token)
        return f"Those in {', '.join(named)} are let in after signing in.{unused}"
    if named:
        raise SettingsError(f"{named[0]} is set, but nobody can sign in: the secrets have no section [auth].")
    if settings.access_token:
        return "All pages open with ?access= and VIBECHECK_ACCESS_TOKEN after their address."
    return "All pages open with a link that is printed in the terminal, a new one at each start."


def _names(settings: Settings) -> str:
    if ignored := without_effect():
        raise SettingsError(" ".join(ignored))
    return "No setting is misspelt or misplaced."


def _comet(settings: Settings) -> str:
    from vibecheck.comet.client import Comet  # takes a second

    comet = Comet.open(settings)
    account = comet.account
    project = "the project" if comet.project_exists() else "the first record creates the project"
    return (
        f"The key of {account.user} works: {project} {account.project} in {account.workspace}, "
        f"deployment {settings.deployment}."
    )


def _relay(settings: Settings) -> str:
    relay = find_relay(settings)
    if not relay.works:
        raise VibeCheckError(relay.state)
    return relay.state


def _alerts(settings: Settings) -> str:
    if settings.alert_url is None:
        return "None are sent: VIBECHECK_ALERT_URL is not set."
    return webhook.reachable(settings.alert_url.get_secret_value())
