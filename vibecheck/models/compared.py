"""Which versions are compared with the champion, and so read each vibe check.

Separate from `promotion.py`, which loads the statistics.
"""

from vibecheck.models.registry import CHALLENGER, CHAMPION, PREVIOUS, Registry
from vibecheck.records.values import Promotion
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.manifest import Manifest


def compared_versions(registry: Registry) -> tuple[str, ...]:
    """The versions that read each vibe check, the champion first. Raises RecordsError."""
    champion, watched = registry.aliases()[CHAMPION], watched_promotion(registry)
    before = (watched.replaced,) if watched and watched.replaced else ()
    return tuple(dict.fromkeys((champion, *candidates(registry, champion), *before)))


def watched_promotion(registry: Registry) -> Promotion | None:
    """The promotion of the champion, if the champion before it still runs as a shadow model.

    None after a rollback. Raises RecordsError.
    """
    aliases = registry.aliases()
    before = aliases.get(PREVIOUS)
    # Not always the newest by time: the clock may have been set back.
    pair = aliases[CHAMPION], before
    last = next((each for each in registry.promotions() if (each.version, each.replaced) == pair), None)
    return last if before and last and last.kind in ("promotion", "override") else None


def candidates(registry: Registry, champion: str) -> list[str]:
    """What may replace this champion: the challenger, and the embedded model unless it was discarded."""
    shipped = Manifest.read(EMBEDDED).version
    wanted = [registry.aliases().get(CHALLENGER)]
    if registry.get(shipped).discarded_at is None:
        wanted.append(shipped)
    return [each for each in dict.fromkeys(wanted) if each and each != champion]
