"""Everything VibeCheck raises on purpose.

Each message is one or two sentences that a person can act on: what went wrong, and which setting
to change or which step to take. Pages and commands show it as it is.

    VibeCheckError
    ├── SettingsError            a setting cannot be used as it stands
    ├── PictureError             a picture cannot be used
    │   ├── UnreadablePicture    not a picture, damaged, or of a kind that is not taken
    │   ├── PictureTooLarge      more bytes or pixels than are taken
    │   └── NoFace               a picture in which no face was found
    ├── LabelsError              a file or folder of labelled pictures cannot be used
    ├── ModelError               a model cannot be used
    │   └── HubUnreachable       the Hugging Face Hub did not answer; later it may
    ├── RecordsError             predictions, feedback or pictures could not be stored or read
    │   └── UnknownPrediction    no prediction has this id
    ├── JobError                 a training run cannot be started, or ended
    ├── MusicError               the catalogue, or Spotify with its credentials, cannot be used
    └── CometError               Comet did not do what it was asked
        ├── CometUnavailable     not now: no network, a failing server, too many requests
        ├── CometRefuses         not with these settings: key, workspace, a plan that is used up
        └── CometRejected        not this record, now or later
"""


class VibeCheckError(Exception):
    """The root of the tree: its text is a sentence for people."""


class SettingsError(VibeCheckError):
    """A setting cannot be used as it stands; the message names it."""


class PictureError(VibeCheckError):
    """A picture cannot be used."""


class UnreadablePicture(PictureError):
    """The bytes are not a picture, are damaged, or are of a kind that is not taken."""


class PictureTooLarge(PictureError):
    """The picture has more bytes or pixels than are taken."""


class NoFace(PictureError):
    """No face was found in the picture."""


class LabelsError(VibeCheckError):
    """A file or folder of labelled pictures cannot be used."""


class ModelError(VibeCheckError):
    """A model cannot be used: incomplete, damaged, or not a classifier of the seven moods."""


class HubUnreachable(ModelError):
    """The Hugging Face Hub did not answer, or not as it should: trying later may help."""


class RecordsError(VibeCheckError):
    """Predictions, feedback or pictures could not be stored or read."""


class UnknownPrediction(RecordsError):
    """No prediction has this id."""


class JobError(VibeCheckError):
    """A training run cannot be started, or ended."""


class MusicError(VibeCheckError):
    """The catalogue of playlists cannot be used, or Spotify with the credentials that are set."""


class CometError(VibeCheckError):
    """Comet did not do what it was asked."""


class CometUnavailable(CometError):
    """Not now; `retry_after` is how many seconds Comet asks to wait, or None."""

    def __init__(self, sentence: str, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class CometRefuses(CometError):
    """Not with these settings or this plan: everything waits until a person changes something."""


class CometRejected(CometError):
    """Not this record, now or later: it would be refused each time."""
