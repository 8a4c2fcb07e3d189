"""Looks at each part of an installation and says whether it works, and what to set if not."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import requests

from vibecheck.classifier import EMBEDDED, Classifier
from vibecheck.errors import VibeCheckError
from vibecheck.faces import FaceDetector, weights_file
from vibecheck.installed import Shelf
from vibecheck.music import Music
from vibecheck.records.images import Images
from vibecheck.records.store import Store
from vibecheck.registry import Registry
from vibecheck.relay import find_relay
from vibecheck.settings import Settings
from vibecheck.sources import EMBEDDED_NAME, HubModel


@dataclass(frozen=True, slots=True)
class Finding:
    """One part: whether it works, a sentence, and whether VibeCheck cannot do without it."""

    part: str
    works: bool
    sentence: str
    needed: bool


def examine(settings: Settings) -> Iterator[Finding]:
    """Try every part in turn; each is really used, not only looked up."""
    parts: tuple[tuple[str, Callable[[Settings], str], bool], ...] = (
        ("model", _model, True),
        ("face detector", _detector, True),
        ("records", _records, True),
        ("pictures", _pictures, True),
        ("live model", _live_model, False),
        ("Spotify", _spotify, False),
        ("Comet", _comet, False),
        ("camera relay", _relay, False),
    )
    for part, look, needed in parts:
        try:
            yield Finding(part, True, look(settings), needed)
        except VibeCheckError as error:
            yield Finding(part, False, str(error), needed)


def _model(settings: Settings) -> str:
    classifier = Classifier.load(EMBEDDED, settings.threads)
    return f"{classifier.version} reads faces of {classifier.side} px ({classifier.manifest.origin})."


def _live_model(settings: Settings) -> str:
    registry = Registry.open(settings)
    champion, source = registry.champion(), settings.source
    registry.close()
    if champion is None and isinstance(source, HubModel):
        from vibecheck import hub  # takes a moment

        try:
            commit = hub.resolve(source, settings.hf_token and settings.hf_token.get_secret_value())
        except VibeCheckError as error:
            raise VibeCheckError(f"{error} Meanwhile the embedded model runs.") from error
        what = f"{commit.size / 1e6:.0f} MB, commit {commit.sha[:12]}"
        return f"{source} can be fetched ({what}): the app does it when it starts."
    if champion is None:
        return f"{source} becomes the first champion when the app starts."
    if champion.source == EMBEDDED_NAME:
        return f"The champion is {champion.version}, which ships with VibeCheck."
    there = Shelf(settings.data).find(champion.version)
    if there is None:
        raise VibeCheckError(
            f"The champion {champion.version} is not ready on this machine: the app makes it from "
            f"{champion.source} when it runs, or: python -m vibecheck compile {champion.source}"
        )
    report = there.report
    return f"The champion {champion.version} runs as {report['candidate']}: {report['ms']:.3g} ms a face."


def _detector(settings: Settings) -> str:
    FaceDetector()
    return f"YuNet ({weights_file().name})."


def _records(settings: Settings) -> str:
    return Store.open(settings).check()


def _pictures(settings: Settings) -> str:
    return Images(settings.images_url).check()


def _spotify(settings: Settings) -> str:
    return Music.open(settings).check()


def _comet(settings: Settings) -> str:
    if settings.comet_api_key is None:
        raise VibeCheckError("No account: records stay on this machine. To use one, set COMET_API_KEY.")
    # Without this, the SDK tries for 24 s before it says that the server cannot be reached.
    os.environ.setdefault("COMET_HTTP_SESSION_RETRY_TOTAL", "0")
    import comet_ml  # takes a second
    from comet_ml.exceptions import CometException

    try:
        api = comet_ml.API(api_key=settings.comet_api_key.get_secret_value())
        account = api.get_account_details()["userName"]
    except CometException as error:
        raise VibeCheckError(f"Comet refuses the key. Check COMET_API_KEY. ({error})") from error
    except requests.RequestException as error:
        raise VibeCheckError(
            f"Comet cannot be reached ({type(error).__name__}); records are kept here meanwhile. "
            "Check the network, or COMET_URL_OVERRIDE if it is set."
        ) from error
    return f"The key of {account} works. Records are queued here; this version does not send them yet."


def _relay(settings: Settings) -> str:
    relay = find_relay(settings)
    if not relay.works:
        raise VibeCheckError(relay.state)
    return relay.state
