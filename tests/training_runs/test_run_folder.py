from vibecheck.training_runs.run_folder import LARGEST_REPORT, RunFolder, clean


def test_the_end_of_the_log_is_plain_text(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.log_end() == ""
    bar = b"epoch 1:  10%\repoch 1: 100%\r\n"
    folder.log.write_bytes(b"old\n" * 9000 + bar + b"\x1b[31mred\x1b[0m\x07 \xff\n" + b"y" * 3000 + b"\n")
    *_, before, progress, red, long = folder.log_end().split("\n")
    assert (before, progress, red) == ("old", "epoch 1: 100%", "red  \ufffd") and len(long) == 500


def test_missing_or_malformed_report_reads_as_none(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.report() is None and folder.report_html() is None
    folder.out.mkdir()
    for content in ("[1]", "{", "[" * 100_000, '{"a": "' + "x" * LARGEST_REPORT + '"}'):
        (folder.out / "report.json").write_text(content)
        assert folder.report() is None
    (folder.out / "report.json").write_text('{"proved": true}')
    assert folder.report() == {"proved": True}


def test_cleanup_deletes_only_run_folders(tmp_path):
    assert clean(tmp_path / "missing", []) is None
    for name in ("a" * 32, "b" * 32, "notes", "c" * 31):
        (tmp_path / name).mkdir()
    (tmp_path / ("d" * 32)).symlink_to(tmp_path / "notes")
    clean(tmp_path, ["b" * 32])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b" * 32, "c" * 31, "d" * 32, "notes"]
