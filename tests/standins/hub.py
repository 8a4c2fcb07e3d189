"""A local Hugging Face Hub: the few routes that huggingface_hub uses to look at a model and fetch it."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.standins.http import Asked, Reply, Standin, serving

SHA = "0123456789abcdef0123456789abcdef01234567"
REPO = "owner/name"
VERSION = f"{REPO}@{SHA[:12]}"


@dataclass
class Hub:
    """What it holds and how it behaves; may be changed while it runs.

    `cuts` are numbers of bytes after which the next downloads of weights break off; `refused` is a
    status, with the Hub's own word for it, that every request gets, or those for files only.
    """

    files: dict[str, bytes]
    standin: Standin | None = None
    cuts: list[int] = field(default_factory=list)
    pause: float = 0.0
    refused: tuple[int, str] | None = None
    refused_files: tuple[int, str] | None = None
    lies: dict[str, str] = field(default_factory=dict)
    garbled: bool = False  # whether every answer is a web page

    @property
    def url(self) -> str:
        return self.standin.url

    def downloads(self, name: str) -> list[str | None]:
        """The range that each download of a file asked for, None for the whole."""
        return [
            asked.headers.get("Range") or asked.headers.get("range")
            for asked in self.standin.asked
            if asked.method == "GET" and asked.path.endswith(f"/{name}")
        ]

    def answer(self, asked: Asked) -> Reply:
        path = unquote(urlsplit(asked.path).path)
        if self.refused:
            return _refusal(*self.refused)
        if self.garbled:
            return Reply(200, b"<html>sign in to this network</html>")
        if match := re.fullmatch(r"/api/models/(.+?)(?:/revision/(.+))?", path):
            return self._info(*match.groups())
        if match := re.fullmatch(rf"/{REPO}/resolve/{SHA}/(.+)", path):
            return _refusal(*self.refused_files) if self.refused_files else self._file(asked, match[1])
        return _refusal(404, "RepoNotFound")

    def _info(self, repo: str, revision: str | None) -> Reply:
        if repo != REPO:
            return _refusal(404, "RepoNotFound")
        if revision not in (None, "main", SHA):
            return _refusal(404, "RevisionNotFound")
        return Reply(200, {"id": REPO, "sha": SHA, "siblings": [self._sibling(name) for name in self.files]})

    def _sibling(self, name: str) -> dict:
        content = self.files[name]
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        about = {"rfilename": name, "size": len(content), "blobId": git}
        if name.endswith((".safetensors", ".bin")):
            about["lfs"] = {"sha256": self._sha256(name), "size": len(content), "pointerSize": 134}
        return about

    def _sha256(self, name: str) -> str:
        return self.lies.get(name) or hashlib.sha256(self.files[name]).hexdigest()

    def _file(self, asked: Asked, name: str) -> Reply:
        if name not in self.files:
            return _refusal(404, "EntryNotFound")
        content = self.files[name]
        headers = {"ETag": f'"{self._sha256(name)}"', "X-Repo-Commit": SHA}
        given = asked.headers.get("Range") or asked.headers.get("range")
        weights = name.endswith(".safetensors")
        cut = self.cuts.pop(0) if asked.method == "GET" and weights and self.cuts else None
        pause = self.pause if weights else 0.0
        if given is None:
            return Reply(200, content, headers, cut, pause)
        start = int(re.fullmatch(r"bytes=(\d+)-", given)[1])
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Reply(206, content[start:], headers, cut, pause)


def _refusal(status: int, word: str) -> Reply:
    return Reply(status, {"error": word}, {"X-Error-Code": word} if word else {})


@contextmanager
def serving_hub(folder: Path) -> Iterator[Hub]:
    """A Hub with one model, `owner/name`: the files of a folder."""
    hub = Hub({path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()})
    with serving(hub.answer) as standin:
        hub.standin = standin
        yield hub
