"""Which files of a folder are pictures, by name and by content."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from vibecheck.text.plurals import counted
from vibecheck.vision.image_formats import EXTENSIONS, REFUSED_EXTENSIONS, ImageKind, sniff
from vibecheck.vision.image_formats import VIDEO as VIDEO_FILE

# Files that Macs, phones and file servers create beside pictures, in lower case.
LEFTOVERS = frozenset(("__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin"))
VIDEO_EXTENSIONS = frozenset(("mp4", "mov", "m4v", "webm", "mkv", "avi", "3gp", "mpg", "mpeg", "mts", "m2ts"))
# Keys of `left_out`.
HIDDEN, VIDEO = "hidden", "video"


def pictures_in(folder: Path, left_out: Counter[str]) -> Iterator[Path]:
    """The pictures below a folder, sorted; of all kinds, so that those not accepted are reported.

    So is what cannot be listed: a folder below that may not be read, or `folder` itself, if it is a file.
    Counted in `left_out` are files that are hidden or lie in a hidden folder (HIDDEN), and videos (VIDEO).
    Files that are neither picture nor video are ignored.
    """
    unlisted: set[Path] = set()
    walk = os.walk(folder, onerror=lambda error: unlisted.add(Path(error.filename)))
    files = [Path(parent, name) for parent, _, names in walk for name in names]
    for path in sorted([*files, *unlisted]):
        if any(map(is_hidden, path.relative_to(folder).parts)):
            left_out[HIDDEN] += 1
        elif path in unlisted:
            yield path
        elif is_video(path):
            left_out[VIDEO] += 1
        elif is_picture(path):
            yield path


def left_out_sentence(left_out: Mapping[str, int]) -> str:
    """What `pictures_in` left out, for people; empty if nothing."""
    hidden, videos = left_out.get(HIDDEN, 0), left_out.get(VIDEO, 0)
    parts = [counted(hidden, "hidden file")] if hidden else []
    parts += [counted(videos, "video")] if videos else []
    return f"Left out: {' and '.join(parts)}." if parts else ""


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden by its name, or a leftover of an operating system."""
    return name.startswith(".") or name.lower() in LEFTOVERS


def is_video(path: Path) -> bool:
    """Whether a file is a video: by its first bytes, or by its name if they tell nothing."""
    return _is_video(_kind(path), path.name)


def is_video_upload(data: bytes, name: str) -> bool:
    """Whether a file with this content and name is a video, as `is_video` has it."""
    return _is_video(sniff(data), name)


def _is_video(kind: ImageKind | str | None, name: str) -> bool:
    return kind == VIDEO_FILE or (kind is None and _extension(Path(name)) in VIDEO_EXTENSIONS)


def is_picture(path: Path) -> bool:
    """Whether a file is a picture, even of a kind that is not accepted: by its name, or its first bytes."""
    kind = _kind(path)
    named = _extension(path) in EXTENSIONS + REFUSED_EXTENSIONS
    return isinstance(kind, ImageKind) or (named and kind != VIDEO_FILE)


def _kind(path: Path) -> ImageKind | str | None:
    """See `image_formats.sniff`; also None if it is not a file, or cannot be read."""
    try:
        if not path.is_file():  # opening a pipe would wait forever
            return None
        with path.open("rb") as file:
            return sniff(file.read(4096))
    except (OSError, ValueError):
        return None


def _extension(path: Path) -> str:
    return path.suffix.lower().removeprefix(".")
