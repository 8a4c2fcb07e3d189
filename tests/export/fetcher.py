"""Fetches models from the Hub: python -m tests.export.fetcher

For each line on its standard input it forks a process, which writes its progress as JSON and what went wrong;
then it writes that process's exit status. What huggingface_hub imports is imported once for all; itself it
reads the environment when it is imported, so each process does that anew.
"""

import json
import os
import resource
import sys
from pathlib import Path

import cv2  # noqa: F401
import filelock  # noqa: F401
import httpcore2  # noqa: F401
import httpx2  # noqa: F401
import tqdm.auto  # noqa: F401
import yaml  # noqa: F401

import vibecheck.vision.manifest  # noqa: F401
from vibecheck.errors import ModelError
from vibecheck.vision.model_source import parse_source


def say(line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def fetch(model: str, folder: str, largest: int | None, environment: dict[str, str]) -> None:
    """`largest` is the size of the largest file that the disk holds."""
    os.environ.clear()
    os.environ.update(environment)
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    from vibecheck.export import hub

    try:
        commit = hub.resolve(parse_source(model), None)
        hub.fetch(commit, Path(folder), None, lambda done, total: say([done, total]))
    except ModelError as error:
        say({"kind": type(error).__name__, "sentence": str(error)})
    assert not {"torch", "transformers", "numpy.testing"} & set(sys.modules)


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            fetch(**json.loads(line))
            break
        say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main()
