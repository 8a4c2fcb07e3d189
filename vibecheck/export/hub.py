"""Fetches models from the Hugging Face Hub: one commit, weights from safetensors only, every file checked.

Used in processes that make models ready, never in the web process.
"""

import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vibecheck.errors import HubUnreachable, ModelError
from vibecheck.vision.model_source import HubModel

# Plain HTTP takes a download up again where the line was cut, and is what the tests run.
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")

from huggingface_hub import HfApi, constants, hf_hub_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

TIMEOUT = 10.0  # s, for the first answer
# Making a model ready takes about seven times as much memory, and one file of ONNX holds 2 GB at most.
LARGEST = 1_500_000_000
NEEDED = ("config.json", "preprocessor_config.json")
WEIGHTS = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")
ALSO = ("model.safetensors.index.json", "README.md", "vibecheck.json")
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CHUNK = 1 << 20
# A cut costs what was not written yet, and progress is told by the chunk: the library's own is 10 MB.
constants.DOWNLOAD_CHUNK_SIZE = CHUNK


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a commit. `digest` is its SHA-256 where it is large, else git's name for it."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of a model on the Hub, and the files of it that are wanted."""

    repo: str
    sha: str
    files: tuple[HubFile, ...]

    @property
    def model(self) -> HubModel:
        """The model, pinned to this commit."""
        return HubModel(self.repo, self.sha)

    @property
    def size(self) -> int:
        """Bytes of all wanted files."""
        return sum(file.size for file in self.files)


def resolve(model: HubModel, token: str | None) -> Commit:
    """Ask the Hub which commit is meant, and what is in it.

    Raises HubUnreachable where it may work later, else ModelError.
    """
    with _explained(model):
        info = HfApi(token=token or None).model_info(
            model.repo, revision=model.revision, files_metadata=True, timeout=TIMEOUT
        )
        found = {file.rfilename: file for file in info.siblings or ()}
    names = [name for name in found if name in (*NEEDED, *ALSO) or WEIGHTS.fullmatch(name)]
    for name in NEEDED:
        if name not in found:
            raise ModelError(f"{model} on the Hub is not an image classifier: it has no {name}.")
    if not any(WEIGHTS.fullmatch(name) for name in names):
        raise ModelError(
            f"{model} on the Hub has no model.safetensors. Pickled weights can run code and are never "
            "opened: name another model in VIBECHECK_MODEL."
        )
    files = tuple(
        HubFile(name, file.size or 0, file.lfs.sha256 if file.lfs else file.blob_id or "")
        for name in sorted(names, key=lambda name: (WEIGHTS.fullmatch(name) is not None, name))
        for file in [found[name]]
    )
    commit = Commit(model.repo, info.sha or "", files)
    if not re.fullmatch(r"[0-9a-f]{40}", commit.sha):
        raise ModelError(f"{model}: the Hub named no commit. Check HF_ENDPOINT if it is set.")
    if commit.size > LARGEST:
        raise ModelError(f"{model} has {commit.size / 1e9:.1f} GB; the largest that is taken has 1.5 GB.")
    return commit


def _from(done: int, total: int, tell: Callable[[int, int], None]) -> Callable[[int], None]:
    """Tells how many bytes there are in all, of what one file adds to those before it."""
    return lambda count: tell(done + count, total)


def fetch(
    commit: Commit,
    folder: Path,
    token: str | None,
    tell: Callable[[int, int], None],
    look: Callable[[Path], object] = lambda folder: None,
) -> None:
    """Bring the files of a commit into `folder`; what is there whole already is not fetched again.

    `tell` gets bytes done and bytes in all. `look` may raise at what is in the folder before the
    weights, which come last, are fetched. Raises HubUnreachable or ModelError.
    """
    done, looked = 0, False
    for file in commit.files:
        if not looked and WEIGHTS.fullmatch(file.name):
            look(folder)
            looked = True
        with _explained(commit.model):
            hf_hub_download(
                commit.repo,
                file.name,
                revision=commit.sha,
                local_dir=folder,
                token=token or None,
                etag_timeout=TIMEOUT,
                tqdm_class=_meter(_from(done, commit.size, tell)),
            )
        _verify(folder / file.name, file, commit)
        done += file.size
        tell(done, commit.size)


def _meter(tell: Callable[[int], None]) -> type:
    """A progress bar, as huggingface_hub wants one, that calls `tell` with the bytes of a file so far."""

    class Meter:
        def __init__(self, *args, initial: int = 0, **kwargs) -> None:
            self.count = initial
            tell(self.count)

        def update(self, count: float | None = 1) -> None:
            self.count += int(count or 0)
            tell(self.count)

        def __enter__(self) -> "Meter":
            return self

        def __exit__(self, *error) -> None:
            return None

        def close(self) -> None:
            return None

    return Meter


def _verify(path: Path, file: HubFile, commit: Commit) -> None:
    """Delete and refuse a file that is not what the Hub says it is."""
    plain = len(file.digest) == 64
    digest = hashlib.sha256() if plain else hashlib.sha1(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != file.digest:
        path.unlink()
        raise ModelError(
            f"{file.name} of {commit.repo} arrived damaged: its checksum is not the one the Hub gives. "
            "Try again."
        )


@contextmanager
def _explained(model: HubModel) -> Iterator[None]:
    """Turn what the Hub, the network and the disk do into sentences."""
    try:
        yield
    except GatedRepoError as error:
        raise ModelError(
            f"{model} is gated: accept its terms at https://huggingface.co/{model.repo} and set HF_TOKEN."
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"There is no model {model.repo} on the Hub that may be read here: check VIBECHECK_MODEL, and "
            "set HF_TOKEN if it is private."
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(f"{model.repo} has no revision {model.revision}: check VIBECHECK_MODEL.") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise ModelError(f"The Hub refuses {model} ({status}): check HF_TOKEN.") from error
        raise HubUnreachable(f"The Hub answers with an error ({status}) for {model}.") from error
    except OfflineModeIsEnabled as error:
        raise HubUnreachable(f"{model} was not fetched, since HF_HUB_OFFLINE is set.") from error
    except (HTTPError, LocalEntryNotFoundError) as error:
        raise HubUnreachable(
            f"The Hub cannot be reached for {model}: check the network, or HF_ENDPOINT if it is set."
        ) from error
    except OSError as error:
        if error.errno in DISK_FULL:
            raise ModelError(
                f"There is no room left for {model}: free some space, or set VIBECHECK_DATA to another disk."
            ) from error
        raise HubUnreachable(f"{model} could not be fetched: {' '.join(str(error).split())}") from error
