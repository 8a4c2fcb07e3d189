"""All exceptions that VibeCheck raises, and the wait that a failing server asks for.

Each message is one or two sentences that a person can act on: what went wrong, and which setting
to change or which step to take. Pages and commands show it unchanged.
"""

import errno
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# The longest Retry-After that is respected: the cause may be fixed sooner.
LONGEST_RETRY_AFTER = 3600.0  # s
# The errno of an OSError on a full disk, or beyond a quota.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class VibeCheckError(Exception):
    """Base class; the message is a sentence for people."""


class SettingsError(VibeCheckError):
    """A setting cannot be used as it stands; the message names it."""


class PictureError(VibeCheckError):
    """A picture cannot be used."""


class UnreadablePicture(PictureError):
    """The bytes are not a picture, are damaged, or are in an unsupported format."""


class PictureTooLarge(PictureError):
    """The picture has more bytes or pixels than allowed."""


class NoFace(PictureError):
    """No face was found in the picture."""


class TooManyChecks(VibeCheckError):
    """More vibe checks in a minute than one visitor, or all of them, may make."""


class LabelsError(VibeCheckError):
    """A file or folder of labelled pictures cannot be used."""


class ModelError(VibeCheckError):
    """A model cannot be used: incomplete, damaged, or not a classifier of the seven moods."""


class HubUnreachable(ModelError):
    """The Hugging Face Hub did not answer, or not properly: worth retrying later."""


class RecordsError(VibeCheckError):
    """Predictions, feedback or pictures could not be stored or read."""


class PictureStorageError(RecordsError):
    """The storage of the pictures failed, or has no room; the database may work."""


class AlreadyStored(RecordsError):
    """A prediction with this id exists."""


class UnknownPrediction(RecordsError):
    """No prediction has this id."""


class TrainingError(VibeCheckError):
    """A training run cannot be started, or ended."""


class MusicError(VibeCheckError):
    """The catalogue of playlists cannot be used, or Spotify with the credentials that are set."""


class RetryAfter(VibeCheckError):
    """An error after which a server may ask to wait: for `retry_after` s, or None."""

    def __init__(self, sentence: str, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class AlertNotSent(RetryAfter):
    """The webhook did not take an alert."""


class CometError(VibeCheckError):
    """A request to Comet failed."""


class CometUnavailable(CometError, RetryAfter):
    """Comet cannot be used for now."""


class CometRefuses(CometError):
    """Comet refuses these settings or this plan: nothing is sent until one of them changes."""


class CometRejected(CometError):
    """Comet refuses this record; sending it again would not help."""


def parse_retry_after(header: str) -> float | None:
    """The wait in s, at most LONGEST_RETRY_AFTER, that a server's Retry-After asks for.

    The header has seconds or an HTTP date (RFC 9110, 10.2.3). None for anything else, and for the past.
    """
    try:
        seconds = float(header)
    except ValueError:
        try:
            # HTTP dates are in GMT.
            moment = parsedate_to_datetime(header).replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            return None
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return min(seconds, LONGEST_RETRY_AFTER) if seconds >= 0 else None  # false for NaN
