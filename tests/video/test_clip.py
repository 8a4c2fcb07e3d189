import random
from fractions import Fraction
from io import BytesIO

import av
import cv2
import numpy as np
import pytest

from vibecheck.emotions import NAMES, Distribution
from vibecheck.errors import PictureError, PictureTooLarge
from vibecheck.video.clip import UPLOAD, Clip, ClipReading, Limits, read_moment, summarise

NOBODY = np.full((240, 320, 3), 120, np.uint8)


def face(astronaut, width=320, height=240) -> np.ndarray:
    """A frame with one smiling face in its middle."""
    picture = np.full((height, width, 3), 120, np.uint8)
    head = astronaut[10:210, 120:320]
    top, left = (height - 200) // 2, (width - 200) // 2
    picture[top : top + 200, left : left + 200] = head
    return picture


def video(path, frames, times=None, fps=10):
    """Write frames as MP4, at their times in seconds or at `fps`."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.bit_rate = 4_000_000
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.time_base = Fraction(1, 1000)
            frame.pts = round(1000 * (times[number] if times else number / fps))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def read(path, reader, every=0.2) -> list[ClipReading]:
    with Clip(path) as clip:
        return list(clip.read(reader, every))


def test_a_clip_is_read_at_regular_times_and_smoothed(tmp_path, astronaut, reader):
    path = video(tmp_path / "clip.mp4", [face(astronaut)] * 21)
    found = read(path, reader)
    assert [each.at_s for each in found] == pytest.approx([0.2 * i for i in range(11)], abs=0.01)
    assert {each.mood.mood for each in found} == {"happy"}
    assert all(each.without_pixels().reading.kept is None for each in found)
    summary = summarise(found, 0.2)
    assert (summary.prevailing, summary.changes, summary.readings) == ("happy", 0, 11)
    assert summary.shares == {"happy": pytest.approx(1)} and summary.face_share == pytest.approx(1)
    assert summary.seconds == pytest.approx(2.2, abs=0.02)


def test_period_without_a_face_has_no_mood(tmp_path, astronaut, reader):
    frames = [face(astronaut)] * 10 + [NOBODY] * 20 + [face(astronaut)] * 10
    found = read(video(tmp_path / "clip.mp4", frames), reader)
    assert [bool(each.mood) for each in found[:5]] == [True] * 5
    assert not any(each.mood for each in found[6:14])
    assert found[-1].mood.mood == "happy"
    assert 0.3 < summarise(found, 0.2).face_share < 0.7


def test_frames_at_uneven_times_are_read_by_their_times(tmp_path, astronaut, reader):
    times = [0, 0.03, 0.06, 0.5, 0.52, 1.5, 1.9, 2.0]
    found = read(video(tmp_path / "clip.mp4", [face(astronaut)] * 8, times), reader, every=0.4)
    assert [each.at_s for each in found] == pytest.approx([0, 0.5, 1.5, 1.9], abs=0.01)


def test_a_portrait_video_and_several_faces_are_read(tmp_path, astronaut, reader):
    portrait = video(tmp_path / "portrait.mp4", [face(astronaut, 240, 400)] * 3)
    assert {each.mood.mood for each in read(portrait, reader)} == {"happy"}
    two = np.hstack([face(astronaut), cv2.flip(face(astronaut), 1)])
    found = read(video(tmp_path / "two.mp4", [two] * 3), reader)
    assert found and all(len(each.reading.faces) == 2 and each.mood for each in found)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_rotated_video_is_turned_upright(tmp_path, astronaut, reader, degrees):
    """Phones store a video as the sensor saw it, and beside it how to turn it."""
    stored = np.ascontiguousarray(np.rot90(face(astronaut), -degrees // 90))
    path = video(tmp_path / "clip.mp4", [stored] * 3)
    data = bytearray(path.read_bytes())
    cos, sin = {90: (0, -1), 180: (-1, 0), 270: (0, 1)}[degrees]
    where = data.index(b"tkhd") + 4 + 40  # the matrix of a version 0 track header
    matrix = [cos, sin, 0, -sin, cos, 0, 0, 0, 0x4000]
    data[where : where + 36] = b"".join((value << 16).to_bytes(4, "big", signed=True) for value in matrix)
    path.write_bytes(data)
    assert {each.mood.mood for each in read(path, reader) if each.mood} == {"happy"}
    assert all(each.mood for each in read(path, reader))


def test_video_with_a_broken_end_is_read_up_to_there(tmp_path, astronaut, reader):
    path = tmp_path / "clip.mkv"
    video(path, [face(astronaut)] * 30)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    found = read(path, reader)
    assert 5 < len(found) < 15 and found[0].mood.mood == "happy"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "There is no file"),
        (b"", "not a video that can be read"),
        (b"hello", "not a video that can be read"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/secret.ts\n", "not a video that can be read"),
    ],
)
def test_missing_or_unreadable_video_is_reported(tmp_path, content, sentence):
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PictureError, match=sentence):
        Clip(path)


def test_frames_that_are_too_large_are_refused(tmp_path, astronaut, reader, monkeypatch):
    path = video(tmp_path / "clip.mp4", [face(astronaut)] * 3)
    monkeypatch.setattr("vibecheck.video.clip.MAX_FRAME", 320 * 240 - 1)
    with pytest.raises(PictureError, match=r"frames of 320 x 240 pixels\. Convert it to 4K"):
        Clip(path)
    monkeypatch.setattr("vibecheck.video.clip.MAX_FRAME", 320 * 240)
    assert read(path, reader)


def test_video_with_only_sound_is_refused(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(PictureError, match="only sound"):
        Clip(path)


def test_shares_are_of_the_time_not_of_the_readings():
    def at(at_s, mood) -> ClipReading:
        return ClipReading(at_s, None, mood and Distribution.of([float(name == mood) for name in NAMES]))

    moods = [(0.0, "happy"), (0.2, "happy"), (0.8, "sad"), (1.0, None), (1.2, "sad"), (9.0, "happy")]
    summary = summarise([at(*each) for each in moods], 0.2)
    # 0.2 + 0.6 of happy, 0.2 of sad, 0.2 of nobody, 0.2 before the gap, 0.2 at the end
    assert summary.shares == {"happy": pytest.approx(1.0 / 1.4), "sad": pytest.approx(0.4 / 1.4)}
    assert summary.changes == 2 and summary.face_share == pytest.approx(1.4 / 1.6)
    assert summarise([], 0.2).prevailing is None


def test_a_clip_in_memory_is_read_like_its_file(tmp_path, astronaut, reader):
    path = video(tmp_path / "clip.mp4", [face(astronaut)] * 3)
    with Clip(path.read_bytes(), "me.mp4", UPLOAD) as clip:
        found = list(clip.read(reader))
    assert [(each.at_s, each.mood) for each in found] == [
        (each.at_s, each.mood) for each in read(path, reader)
    ]


@pytest.mark.parametrize(
    "content", [b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", b"ffconcat version 1.0\nfile /etc/passwd\n", b"hello"]
)
def test_bytes_that_name_other_files_are_no_video(content):
    with pytest.raises(PictureError, match=r"^me\.mp4 is not a video that can be read"):
        Clip(content, "me.mp4", UPLOAD)


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        (Limits(seconds=1), r"me\.mp4 is 4 s long; at most 1 s are accepted\. Trim it"),
        (
            Limits(frame=320 * 240 * 1.5 - 1),
            r"me\.mp4 has frames of 320 x 240 pixels.* Convert it to 1080p\.",
        ),
    ],
)
def test_video_with_a_too_large_header_is_refused_before_decoding(tmp_path, astronaut, limits, sentence):
    path = video(tmp_path / "clip.mp4", [face(astronaut)] * 40)
    with pytest.raises(PictureTooLarge, match=sentence):
        Clip(path.read_bytes(), "me.mp4", limits)


@pytest.mark.parametrize("limits", [Limits(seconds=1), Limits(pixels=10 * 320 * 240)])
def test_a_clip_that_turns_out_to_be_too_long_is_refused(tmp_path, astronaut, reader, limits):
    """A file may say nothing of its length, or lie."""
    path = tmp_path / "clip.mkv"
    video(path, [face(astronaut)] * 40)
    data = path.read_bytes().replace(b"\x44\x89\x88", b"\xec\x89\x88")  # Duration → Void
    with Clip(data, "me.mkv", limits) as clip, pytest.raises(PictureTooLarge, match="too long; at most"):
        assert clip.seconds is None
        list(clip.read(reader))


def test_unknown_codec_is_reported_in_a_sentence(tmp_path):
    data = video(tmp_path / "clip.mkv", [NOBODY] * 3).read_bytes()
    assert b"V_MPEG4/ISO/ASP" in data
    with pytest.raises(PictureError, match="not a video that can be read"):
        Clip(data.replace(b"V_MPEG4/ISO/ASP", b"V_UNKNOWN_CODEC"), "me.mkv", UPLOAD)


@pytest.mark.parametrize("extension", ["mp4", "mkv", "avi"])
def test_damaged_video_is_read_or_refused_in_a_sentence(tmp_path, reader, extension):
    rng = random.Random(extension)
    small = np.full((48, 64, 3), 120, np.uint8)
    whole = video(tmp_path / f"clip.{extension}", [small] * 6).read_bytes()
    for _ in range(15):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 5, 40))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            with Clip(bytes(data[: rng.choice((len(data), len(data) // 2))]), "me.mp4", UPLOAD) as clip:
                list(clip.read(reader))
        except PictureError as error:
            assert str(error).startswith("me.mp4 ")


def test_moment_of_a_clip_shows_its_prevailing_mood(tmp_path, astronaut, reader):
    path = video(tmp_path / "clip.mp4", [NOBODY] * 5 + [face(astronaut)] * 15)
    times: list[float] = []
    with Clip(path) as clip:
        readings, moment = read_moment(clip, reader, seen=times.append)
    shown = [each for each in readings if each.mood and each.mood.mood == "happy"]
    assert times == [each.at_s for each in readings] and shown
    assert all(each.reading.kept is None for each in readings)
    assert moment.distribution.mood == summarise(readings, 0.2).prevailing == "happy"
    assert moment.distribution.probabilities == pytest.approx(
        np.mean([each.mood.probabilities for each in shown], axis=0)
    )
    kept = [each for each in moment.readings if each.kept is not None]
    assert len(kept) == 1 and kept[0].face == kept[0].faces[0]


def test_a_clip_without_a_face_has_no_moment(tmp_path, reader):
    with Clip(video(tmp_path / "clip.mp4", [NOBODY] * 5)) as clip:
        readings, moment = read_moment(clip, reader)
    assert readings and moment is None


def test_exception_that_ends_the_reading_is_passed_on(tmp_path, astronaut, reader):
    class Left(Exception):
        pass

    def leave(at: float) -> None:
        raise Left

    with Clip(video(tmp_path / "clip.mp4", [face(astronaut)] * 3)) as clip, pytest.raises(Left):
        read_moment(clip, reader, seen=leave)


def test_summary_is_written_in_words():
    def at(at_s, mood) -> ClipReading:
        return ClipReading(at_s, None, mood and Distribution.of([float(name == mood) for name in NAMES]))

    moods = ["happy", "happy", "happy", "sad"]
    assert (
        summarise([at(0.5 * i, mood) for i, mood in enumerate(moods)], 0.5).sentence
        == "2 s: happy 75%, sad 25%; 1 change of mood."
    )
    moods = ["happy", None]
    assert (
        summarise([at(0.5 * i, mood) for i, mood in enumerate(moods)], 0.5).sentence
        == "1 s, a face in 50% of it: happy 100%; no change of mood."
    )


def test_frames_that_become_larger_than_the_limit_are_not_decoded():
    file = BytesIO()
    with av.open(file, "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=10, width=320, height=240, pix_fmt="yuv420p")
        larger = av.CodecContext.create("libvpx", "w")
        larger.width, larger.height, larger.pix_fmt, larger.time_base = 640, 480, "yuv420p", Fraction(1, 10)

        def add(encoder, number: int) -> None:
            picture = np.zeros((encoder.height, encoder.width, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            for packet in encoder.encode(frame):
                packet.stream = stream
                container.mux(packet)

        for number in range(20):
            add(stream if number < 10 else larger, number)
    small = Limits(60.0, 320 * 240 * 1.5, 1e9, threads=1)
    with Clip(file.getvalue(), limits=small) as clip:
        assert 0.5 < len([at for at, _ in clip._frames(0.1)]) / 10 <= 1
        assert clip.damaged_at is not None
