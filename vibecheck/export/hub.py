"""Fetches models from the Hugging Face Hub: one commit, weights from safetensors only, every file verified.

Used in processes that build models, never in the web process.
"""

import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vibecheck.errors import DISK_FULL, HubUnreachable, ModelError
from vibecheck.vision.classifier import label_mapping
from vibecheck.vision.model_source import HubModel

# Plain HTTP resumes an interrupted download, and is covered by the tests.
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")

from huggingface_hub import HfApi, constants, errors, hf_hub_download
from huggingface_hub.hf_api import RepoSibling
from tqdm import tqdm

TIMEOUT = 10.0  # s, for the first answer
# Building takes about seven times as much memory, and an ONNX file holds at most 2 GB.
LARGEST = 1_500_000_000
NEEDED = ("config.json", "preprocessor_config.json")
WEIGHTS = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")
OPTIONAL = ("model.safetensors.index.json", "README.md", "vibecheck.json")
ENDPOINT = "HF_ENDPOINT"
PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
# An interruption loses up to one chunk, and progress is reported per chunk: the default is 10 MB.
constants.DOWNLOAD_CHUNK_SIZE = 1 << 20


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of a model on the Hub: the model, pinned to it, and those of its files that are needed."""

    model: HubModel
    files: tuple[RepoSibling, ...]

    @property
    def size(self) -> int:
        """Bytes of all needed files."""
        return sum(file.size or 0 for file in self.files)


def resolve(model: HubModel, token: str | None) -> Commit:
    """Look up the commit of a model and its files.

    Raises HubUnreachable if trying later may help, else ModelError.
    """
    with _hub_errors(model):
        info = HfApi(token=token or None).model_info(
            model.repo, revision=model.revision, files_metadata=True, timeout=TIMEOUT
        )
    found = {file.rfilename: file for file in info.siblings or ()}
    for name in NEEDED:
        if name not in found:
            raise ModelError(f"{model} on the Hub is not an image classifier: it has no {name}.")
    weights = sorted(filter(WEIGHTS.fullmatch, found))
    if not weights:
        raise ModelError(
            f"{model} on the Hub has no model.safetensors. Pickled weights can run code and are never "
            "opened: name another model in VIBECHECK_MODEL."
        )
    files = tuple(found[name] for name in (*NEEDED, *OPTIONAL, *weights) if name in found)
    commit = Commit(HubModel(model.repo, info.sha), files)
    if commit.model.version is None:
        raise ModelError(f"{model}: the Hub named no commit. Check {ENDPOINT} if it is set.")
    if commit.size > LARGEST:
        raise ModelError(f"{model} has {commit.size / 1e9:.1f} GB; at most 1.5 GB are accepted.")
    return commit


def fetch(commit: Commit, folder: Path, token: str | None, tell: Callable[[int, int], None]) -> None:
    """Download the files of a commit into `folder`; complete files are not downloaded again.

    `tell` is called with bytes done and the total. Raises HubUnreachable, and ModelError, also for labels
    that are not the seven moods: before the weights, which come last.
    """
    done = 0
    for file in commit.files:
        if WEIGHTS.fullmatch(file.rfilename):
            label_mapping(folder)
        with _hub_errors(commit.model):
            hf_hub_download(
                commit.model.repo,
                file.rfilename,
                revision=commit.model.revision,
                local_dir=folder,
                token=token or None,
                etag_timeout=TIMEOUT,
                tqdm_class=_meter(tell, done, commit.size),
            )
        _verify(folder / file.rfilename, file, commit)
        done += file.size or 0
        tell(done, commit.size)


def _meter(tell: Callable[[int, int], None], before: int, total: int) -> type:
    """A progress bar for huggingface_hub that reports a file's bytes on top of those `before` it."""

    class Meter(tqdm):
        def __init__(self, *args, initial: int = 0, **kwargs) -> None:
            super().__init__(disable=True)  # it draws nothing
            self.count = before
            self.update(initial)

        def update(self, n: float | None = 1) -> None:
            self.count += int(n or 0)
            tell(self.count, total)

    return Meter


def _verify(path: Path, file: RepoSibling, commit: Commit) -> None:
    """Delete and refuse a file whose checksum is not the one of the Hub: SHA-256 in LFS, else git's."""
    digest = hashlib.sha256() if file.lfs else hashlib.sha1(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as content:
        hashlib.file_digest(content, lambda: digest)
    if digest.hexdigest() != (file.lfs.sha256 if file.lfs else file.blob_id):
        path.unlink()
        raise ModelError(
            f"{file.rfilename} of {commit.model.repo} arrived damaged: its checksum is not the one the Hub "
            "gives. Try again."
        )


def _those_set(names: tuple[str, ...]) -> str:
    """Which of these environment variables are set, as a list for a sentence."""
    return ", ".join(name for name in names if os.environ.get(name))


@contextmanager
def _hub_errors(model: HubModel) -> Iterator[None]:
    """Turn failures of the Hub, the network and the disk into sentences."""
    try:
        yield
    except errors.GatedRepoError as error:
        raise ModelError(
            f"{model} is gated: accept its terms at https://huggingface.co/{model.repo} and set HF_TOKEN."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(
            f"There is no model {model.repo} on the Hub that may be read here: check the name (that of the "
            "app is VIBECHECK_MODEL), and set HF_TOKEN if it is private."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(
            f"{model.repo} has no revision {model.revision}: check it (for the app: VIBECHECK_MODEL)."
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise ModelError(f"The Hub refuses {model} ({status}): check HF_TOKEN.") from error
        raise HubUnreachable(f"The Hub answers with an error ({status}) for {model}.") from error
    except (ValueError, ImportError) as error:  # httpx: an unusable proxy, or an answer that is not JSON
        if not (names := _those_set(PROXIES)):
            raise HubUnreachable(
                f"What the Hub answers for {model} cannot be read: check {ENDPOINT}."
            ) from error
        raise HubUnreachable(
            f"The Hub cannot be reached for {model}: {names} must be an address such as http://host:port "
            "(SOCKS is not supported), or unset."
        ) from error
    except errors.OfflineModeIsEnabled as error:
        raise HubUnreachable(f"{model} was not fetched, since HF_HUB_OFFLINE is set.") from error
    except (errors.HTTPError, errors.LocalEntryNotFoundError) as error:
        named = f", and {names}" if (names := _those_set((*PROXIES, ENDPOINT))) else ""
        raise HubUnreachable(f"The Hub cannot be reached for {model}: check the network{named}.") from error
    except OSError as error:
        if error.errno in (*DISK_FULL, errno.EFBIG):
            raise ModelError(
                f"The disk is too full for {model}: free some space, or set VIBECHECK_DATA to another disk."
            ) from error
        raise HubUnreachable(f"{model} could not be fetched: {' '.join(str(error).split())}") from error
