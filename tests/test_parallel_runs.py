"""Two tests at a time, but never two of one file: what costs much to set up is set up once a file."""

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one test at a time")
def test_tests_of_a_file_stay_with_one_worker(request):
    # This is how xdist knows of the group; where it is lost, groups are torn apart without a word.
    assert request.node.nodeid.endswith("@test_parallel_runs.py")
