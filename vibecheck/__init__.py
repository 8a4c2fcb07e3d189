"""VibeCheck: a webcam's mood, as a playlist, by a model that learns from being wrong.

    from vibecheck import Reader

    reading = Reader.open().read("face.jpg")
    print(reading.mood, reading.confidence, reading.probabilities)

    from vibecheck import Music, Settings, Store

    settings = Settings.load()
    print(Music.open(settings).suggest(reading.mood).playlist.embed_url)
    with Store.open(settings.records_url, settings.images_url) as store:
        print(store.count())

What is exported here is the public API; each name is imported when it is first used.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vibecheck.emotions import EMOTIONS
    from vibecheck.music.recommender import Music
    from vibecheck.records.store import Store
    from vibecheck.settings import Settings
    from vibecheck.vision.reader import Reader, Reading
    from vibecheck.vision.smoothing import Smoother

# ONNX Runtime would send the machine and the models that run to Microsoft; it reads this when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
__all__ = ["EMOTIONS", "Music", "Reader", "Reading", "Settings", "Smoother", "Store"]

_MODULES = {
    "EMOTIONS": "vibecheck.emotions",
    "Music": "vibecheck.music.recommender",
    "Reader": "vibecheck.vision.reader",
    "Reading": "vibecheck.vision.reader",
    "Settings": "vibecheck.settings",
    "Smoother": "vibecheck.vision.smoothing",
    "Store": "vibecheck.records.store",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    """What a prompt completes."""
    return [*__all__, "__version__"]
