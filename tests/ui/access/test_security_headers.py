"""Which path a request has below the base URL path."""

import pytest
from streamlit import config

from vibecheck.ui.access.security_headers import path_of


@pytest.mark.parametrize(
    ("base", "path", "below"),
    [
        ("", "/", "/"),
        ("", "/_stcore/metrics", "/_stcore/metrics"),
        ("", "//_stcore/metrics", "/_stcore/metrics"),
        ("vibe", "/vibe", "/"),
        ("/a/b/", "/a/b/_stcore/stream", "/_stcore/stream"),
        ("vibe", "/_stcore/stream", "/_stcore/stream"),
    ],
)
def test_request_path_is_taken_below_the_base_url_path(base, path, below):
    before = config.get_option("server.baseUrlPath")
    config.set_option("server.baseUrlPath", base)
    try:
        assert path_of({"type": "http", "path": path}) == below
    finally:
        config.set_option("server.baseUrlPath", before)
