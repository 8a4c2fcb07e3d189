"""Is one model better than another: the test, the report, the proof."""
