"""`python -m vibecheck predict`: folders from phones, videos, and long names."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.video.test_clip import NOBODY, face, video
from tests.vision.test_images import HEIC
from vibecheck.cli.main import app


def run(*arguments, columns=80):
    return CliRunner().invoke(app, ["predict", *map(str, arguments)], env={"COLUMNS": str(columns)})


@pytest.fixture
def phone(tmp_path, astronaut):
    folder = tmp_path / "Camera"
    (folder / ".thumbnails").mkdir(parents=True)
    smile = Image.fromarray(astronaut)
    smile.save(folder / "a.jpg")
    smile.save(folder / "b.avif", speed=10)
    smile.save(folder / "c.tif")
    smile.save(folder / "d.heic", "PNG", compress_level=1)  # named wrongly
    (folder / "e.heic").write_bytes(HEIC.read_bytes())
    smile.save(folder / ".thumbnails" / "a.jpg")
    (folder / "._a.jpg").write_bytes(b"\0\5\x16\7")
    (folder / "VID.mp4").write_bytes(b"a video")
    return folder


def test_all_picture_formats_of_a_phone_are_read_and_skipped_files_are_counted(phone):
    done = run("--json", phone)
    assert done.exit_code == 0, done.output
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["mood"] for answer in answers] == ["happy"] * 5
    assert "Left out: 2 hidden files and 1 video." in done.stderr


@pytest.mark.parametrize("arguments", [["--json"], []])
def test_bar_is_shown_unless_answers_are_printed_beside_it(tmp_path, astronaut, arguments):
    Image.fromarray(astronaut).save(tmp_path / "a.jpg")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "vibecheck", "predict", *arguments, tmp_path / "a.jpg"]
    environment = os.environ | {"TERM": "xterm"}
    subprocess.run(command, stdout=theirs, stderr=theirs, env=environment, check=True)
    os.set_blocking(ours, False)
    shown = os.read(ours, 1 << 16).decode()
    assert ("Reading faces" in shown) != bool(arguments)
    assert "happy" in shown.casefold()


def test_unsupported_format_is_named_and_fails_the_run(phone):
    (phone / "f.cr3").write_bytes(b"\0\0\0\x18ftypcrx \0\0\0\1crx isom")
    done = run("--json", phone)
    assert done.exit_code == 1
    assert "Canon CR3" in json.loads(done.stdout.splitlines()[-1])["error"]


def test_long_names_are_wrapped_and_not_cut(phone):
    name = "-".join(["holiday"] * 14) + ".jpg"
    (phone / "a.jpg").rename(phone / name)
    done = run(phone)
    assert "It is damaged" not in done.stdout
    assert name in "".join(line.split(" ")[0] for line in done.stdout.splitlines())


def test_video_prints_one_line_per_reading_and_a_summary(tmp_path, astronaut):
    path = video(tmp_path / "clip.mp4", [face(astronaut)] * 11 + [NOBODY] * 10)
    done = run("--json", "--every", "0.5", path)
    assert done.exit_code == 0, done.output
    *readings, last = map(json.loads, done.stdout.splitlines())
    assert [each["at_s"] for each in readings] == pytest.approx([0, 0.5, 1.0, 1.5, 2.0], abs=0.01)
    assert [each["mood"] for each in readings] == ["happy"] * 3 + [None] * 2
    assert last["summary"]["mood"] == "happy" and last["summary"]["shares"] == {"happy": 1.0}
    assert last["error"] is None
    text = run(path).stdout
    assert "0 changes of mood" in text and "Happy" in text and "100%" in text


def test_a_short_video_is_not_longer_if_readings_are_far_apart(tmp_path, astronaut):
    path = video(tmp_path / "clip.mp4", [face(astronaut)] * 8 + [NOBODY] * 2)
    done = run("--json", "--every", "60", "--plot", tmp_path / "out.html", path)
    *_, last = map(json.loads, done.stdout.splitlines())
    assert last["summary"]["seconds"] == pytest.approx(1.0, abs=0.01) and last["summary"]["readings"] == 1
    assert re.search(r'"domain":\[0,(1|1\.0|0\.99\d*)\]', (tmp_path / "out.html").read_text())
    done = run("--json", "--every", "0.7", path)
    summary = json.loads(done.stdout.splitlines()[-1])["summary"]
    assert summary["seconds"] == pytest.approx(1.0, abs=0.01) and summary["readings"] == 2


@pytest.mark.parametrize(("name", "start"), [("out.png", b"\x89PNG"), ("out.html", b"<!DOCTYPE html>")])
def test_a_timeline_is_written(tmp_path, astronaut, name, start):
    path = video(tmp_path / "clip.mp4", [face(astronaut)] * 4)
    done = run("--plot", tmp_path / name, path)
    assert done.exit_code == 0, done.output
    content = (tmp_path / name).read_bytes()
    assert content.startswith(start)
    if name.endswith(".html"):
        assert b"#FFC94D" in content and b"https://cdn" not in content


def test_a_plot_of_pictures_is_refused(tmp_path, phone):
    done = run("--plot", tmp_path / "out.png", phone / "a.jpg")
    assert done.exit_code == 2 and "Name one video" in done.output


def test_a_plot_that_cannot_be_written_is_refused_before_the_video_is_read(tmp_path, astronaut):
    path = video(tmp_path / "clip.mp4", [face(astronaut)] * 4)
    done = run("--plot", tmp_path / "none" / "out.png", path)
    assert "there is no folder" in str(done.exception) and not done.output


def test_unreadable_video_is_reported(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    done = run(tmp_path / "clip.mp4")
    assert done.exit_code == 1 and "not a video that can be read" in done.output


ODD = "\x1b]0;title\x07 \udcff [red]سلام\u200cها"


def test_names_of_files_cannot_control_the_terminal(tmp_path, phone, astronaut):
    (phone / "a.jpg").rename(phone / f"{ODD}.jpg")
    (phone / f"{ODD}.bmp").write_bytes(b"BM broken")
    told = run(phone, columns=400)
    told_of_video = run(video(tmp_path / "clip.mp4", [face(astronaut)] * 4).rename(tmp_path / f"{ODD}.mp4"))
    broken = tmp_path / f"{ODD}2.mp4"
    broken.write_bytes(b"no video")
    assert run(broken).exit_code == 1
    for done in (told, told_of_video, run(broken)):
        assert "\x1b" not in done.output and "\x07" not in done.output
        assert "�]0;title� � [red]سلام\u200cها" in done.output


@pytest.mark.parametrize("suffix", ["png", pytest.param("html", marks=pytest.mark.slow)])  # of one chart
def test_a_timeline_can_be_drawn_of_a_video_with_any_name(tmp_path, astronaut, suffix):
    path = video(tmp_path / "clip.mp4", [face(astronaut)] * 4).rename(tmp_path / f"{ODD}.mp4")
    command = [sys.executable, "-m", "vibecheck", "predict", "--plot", tmp_path / f"out.{suffix}", path]
    # In a process of its own: the chart's library ended it.
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"out.{suffix}").stat().st_size > 1000


def test_a_missing_picture_is_named_in_a_whole_sentence(tmp_path):
    assert "There is no file gone.jpg." in " ".join(run("gone.jpg").output.split())
