"""Memory does not grow while a camera stays on. `python -m benchmarks soak` does this for half an hour."""

import pytest

from benchmarks.soak import soak

pytestmark = pytest.mark.browser


def test_memory_does_not_grow_while_a_camera_streams(tmp_path):
    found = soak(20 / 60, tmp_path)
    # Frames that are kept would be 7 MB a second, 97 MB by the end; a slow start may still fill caches.
    assert found.trend_mb < 60, found
    assert found.checks >= 2 and found.fps_received > 0
    assert "Traceback" not in (tmp_path / "log").read_text()
