"""Errors as pages show them: visitors see no paths of the host."""

import logging
import re
from contextlib import suppress
from pathlib import Path

from vibecheck.access.roles import Role
from vibecheck.errors import SettingsError, VibeCheckError
from vibecheck.ui.access import gate
from vibecheck.ui.shared.configuration import settings

log = logging.getLogger(__name__)

# An absolute path of at least two parts, which is not the end of a URL.
_PATH = re.compile(r"""(?<![\w:/\\.])(?:[A-Za-z]:)?(?:[/\\][^\s/\\:;,()'"]+){2,}[/\\]?""")


def error_text(error: VibeCheckError) -> str:
    """The error's sentence. Visitors see file names instead of paths; the log has the full text."""
    text = str(error)
    if gate.role() > Role.VISITOR:
        return text
    public = without_paths(text)
    if public != text:
        log.warning("%s", text)
    return public


def without_paths(text: str) -> str:
    """The text with each absolute path reduced to its last part."""
    folders = [Path.cwd(), Path.home()]  # which may have spaces in their names
    with suppress(SettingsError):
        folders.append(settings().data.absolute())
    for folder in sorted({str(each) for each in folders if len(each.parts) > 1}, key=len, reverse=True):
        text = text.replace(folder + "/", "").replace(folder, Path(folder).name)
    return _PATH.sub(lambda found: re.split(r"[/\\]", found[0].rstrip("/\\"))[-1], text)
