import asyncio
import gc
import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import av
import numpy as np
import psutil
import pytest
from aiortc import MediaStreamTrack

from benchmarks.harness.visitors import event_loop, let_in, moving_head, visit
from tests.waiting import wait_for
from vibecheck.check import predict
from vibecheck.emotions import NAMES, Distribution
from vibecheck.video.analyser import Analyser
from vibecheck.video.overlay_channel import FASTEST, GOOD, SLOWEST
from vibecheck.video.stream import MOMENT, Stream
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.reader import Reader, Reading


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class ScriptedReader:
    """A reader that answers with what `script` makes of each picture's first pixel."""

    def __init__(self, script: Callable[[int], Reading]) -> None:
        self.script = script
        self.seen: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def read_frame(self, picture, at, expected):
        assert self.gate.wait(20)
        value = int(picture[0, 0, 0])
        self.seen.append(value)
        return replace(self.script(value), at=at)


SIZE = (48, 64)


def send(stream: Stream, *values: int, size: tuple[int, int] = SIZE) -> None:
    """Frames whose first pixel says which they are."""
    for value in values:
        stream.receive(lambda value=value: np.full((*size, 3), value, np.uint8))


def marks(stream: Stream) -> list[dict]:
    """The marks that the visitor of a stream is sent from now on."""
    told: list[dict] = []
    stream.subscribe(lambda mark: told.append(json.loads(mark)))
    return told


def certain(reading: Reading, mood: str, share: float = 0.7) -> Reading:
    rest = (1 - share) / 6
    return replace(reading, probabilities=tuple(share if name == mood else rest for name in NAMES))


@pytest.fixture(scope="module")
def seen(reader, astronaut) -> Reading:
    return reader.read_frame(astronaut, 0.0)


@pytest.fixture(scope="module")
def unseen(reader, empty_room) -> Reading:
    return reader.read_frame(empty_room, 0.0)


@pytest.fixture
def scripted(seen) -> Iterator[tuple[ScriptedReader, Analyser]]:
    reader = ScriptedReader(lambda value: seen)
    analyser = Analyser(reader)
    yield reader, analyser
    reader.gate.set()
    analyser.stop()


def test_while_the_model_is_busy_only_the_newest_frame_waits(scripted):
    reader, analyser = scripted
    stream = Stream(analyser)
    reader.gate.clear()
    send(stream, 0)
    wait_for(lambda: stream._waiting is None, "the analyser to be at work")
    made: list[int] = []
    for value in range(1, 30):
        stream.receive(lambda value=value: made.append(value) or np.full((*SIZE, 3), value, np.uint8))
    reader.gate.set()
    wait_for(lambda: reader.seen == [0, 29], "the newest frame")
    assert made == [29], "the others were not even turned into pictures"


def test_page_receives_each_reading(scripted, seen):
    reader, analyser = scripted
    stream, told = Stream(analyser), []
    stream.subscribe(told.append)
    send(stream, 7, size=(480, 640))
    wait_for(lambda: told, "a mark")
    mark = json.loads(told[0])
    assert reader.seen == [7]
    assert mark["faces"][0] == pytest.approx(
        [seen.face.x / 640, seen.face.y / 480, seen.face.width / 640, seen.face.height / 480], abs=1e-4
    )
    assert mark["text"].startswith("Happy ") and mark["keep"] >= 0.9
    assert mark["probabilities"] == pytest.approx(seen.probabilities, abs=1e-4)
    assert mark["hint"] == GOOD
    assert not stream.unsubscribe(print), "another connection's end changes nothing"
    assert stream.unsubscribe(told.append) and not stream.unsubscribe(told.append)
    send(stream, 8)
    wait_for(lambda: reader.seen == [7, 8], "another reading")
    stream.close()
    assert len(told) == 1


def test_check_records_the_mark_shown_at_the_press(scripted, seen):
    clock = Clock()
    stream, told = Stream(scripted[1], clock), []
    stream.subscribe(told.append)
    for mood in ["happy"] * 20 + ["sad"] * 30:
        clock.now += 0.1
        stream.add(replace(certain(seen, mood), at=clock.now), SIZE)
    marks = [json.loads(text) for text in told]
    for mark in marks[-40:]:
        moment = stream.moment(mark["number"])
        assert moment.distribution.mood == mark["mood"]
        assert [round(p, 4) for p in moment.distribution.probabilities] == mark["probabilities"]
    newest = stream.moment()
    assert newest.distribution.mood == "sad"
    assert stream.moment(10**9) == stream.moment(-1) == newest, "a mark that nobody was sent"


@pytest.mark.parametrize(("late", "readings"), [(0.3, 13), (2.5, 0)])
def test_check_after_the_visitor_left_has_their_face_or_none(scripted, seen, late, readings):
    clock = Clock()
    stream, told = Stream(scripted[1], clock), []
    stream.subscribe(told.append)

    def add(reading: Reading, seconds: float) -> None:
        for _ in range(round(10 * seconds)):
            clock.now += 0.1
            stream.add(replace(reading, at=clock.now), SIZE)

    somebody_else = replace(certain(seen, "sad"), faces=(replace(seen.face, x=seen.face.x + 250),))
    add(certain(seen, "happy"), 2.0)
    pressed = json.loads(told[-1])["number"]
    add(somebody_else, late)
    moment = stream.moment(pressed)
    if not readings:
        assert moment is None
    else:
        assert moment.distribution.mood == "happy" and len(moment.readings) == readings
        assert {reading.face for reading in moment.readings} == {seen.face}
    assert stream.moment().distribution.mood == "sad"


def test_readings_of_another_model_do_not_count(scripted, seen):
    clock = Clock()
    stream = Stream(scripted[1], clock)
    newer = Manifest(version="newer", origin="elsewhere")
    for _ in range(10):
        clock.now += 0.1
        stream.add(replace(certain(seen, "sad"), at=clock.now), SIZE)
    clock.now += 0.1
    stream.add(replace(certain(seen, "happy"), at=clock.now, model=newer), SIZE)
    moment = stream.moment()
    assert moment.distribution == Distribution.of(certain(seen, "happy").probabilities).rounded()
    assert [reading.model for reading in moment.readings] == [newer]


def test_after_a_change_of_model_the_next_reading_has_a_face_that_may_be_kept(scripted, seen):
    """Otherwise a vibe check within a second would say that the face has only just come into view."""
    clock = Clock()
    stream = Stream(scripted[1], clock)
    newer = Manifest(version="newer", origin="elsewhere")
    follows = []
    for model in [seen.model] * 3 + [newer] * 3:
        follows.append(stream.expected(clock.now).follow)
        kept = None if follows[-1] else seen.kept
        stream.add(replace(seen, at=clock.now, model=model, kept=kept), SIZE)
        clock.now += 0.1
    assert follows == [False, True, True, True, False, True]
    made, _ = predict(stream.moment(), source="live", visitor=None, now=datetime.now(UTC))
    assert made.model_version == "newer"


def test_readings_under_another_calibration_do_not_count_and_the_moment_names_one(scripted, seen):
    clock = Clock()
    stream = Stream(scripted[1], clock)
    for mood, calibration in [("sad", None)] * 10 + [("happy", "c" * 32)] * 2:
        clock.now += 0.1
        stream.add(replace(certain(seen, mood), at=clock.now, calibration=calibration), SIZE)
    moment = stream.moment()
    assert moment.distribution.probabilities == pytest.approx(certain(seen, "happy").probabilities)
    assert [reading.calibration for reading in moment.readings] == ["c" * 32] * 2
    made, best = predict(moment, source="live", visitor=None, now=datetime.now(UTC))
    assert made.calibration == best.calibration == "c" * 32


def test_a_camera_is_asked_for_fewer_frames_while_few_are_read(scripted, seen):
    clock = Clock()
    stream, told = Stream(scripted[1], clock), []
    stream.subscribe(told.append)
    scripted[0].gate.clear()
    for tick in range(80):
        clock.now += 0.1
        send(stream, 0)
        if tick % 5 == 0:
            stream.add(replace(seen, at=clock.now), SIZE)
    assert json.loads(told[0])["frames"] == FASTEST
    assert json.loads(told[-1])["frames"] == SLOWEST


@pytest.mark.parametrize(
    ("gap", "pattern"), [(0.06, 9), (0.11, 5), (0.2, 4), (0.3, 4), (0.4, 3), (0.6, 2), (1.2, 1)]
)
def test_slow_readings_search_the_whole_picture_less_often(scripted, seen, gap, pattern):
    """The whole picture is searched in every `pattern`-th reading, and at least once in each moment."""
    clock = Clock()
    stream = Stream(scripted[1], clock)
    searched = []
    for _ in range(3 * pattern):
        searched.append(not stream.expected(clock.now).follow)
        stream.add(replace(seen, at=clock.now), SIZE)
        clock.now += gap
    assert searched == ([True] + [False] * (pattern - 1)) * 3


def test_one_face_is_followed_for_half_a_second_and_several_are_searched(scripted, seen):
    clock = Clock()
    stream = Stream(scripted[1], clock)
    assert not stream.expected(clock.now).follow, "nobody was there yet"
    followed = []
    for _ in range(14):
        stream.add(replace(seen, at=clock.now), SIZE)
        clock.now += 0.09
        followed.append(stream.expected(clock.now).follow)
    assert followed == ([True] * 5 + [False]) * 2 + [True] * 2
    stream.add(replace(seen, at=clock.now, faces=(seen.face, replace(seen.face, x=400.0))), SIZE)
    assert not stream.expected(clock.now + 0.05).follow


def test_plain_and_mirrored_readings_alternate_while_the_face_stays(scripted, seen):
    clock = Clock()
    stream = Stream(scripted[1], clock)
    sides = []
    for step in range(6):
        sides.append(stream.expected(clock.now).mirrored)
        stream.add(replace(seen, at=clock.now), SIZE)
        clock.now += 5.0 if step == 4 else 0.1  # after which nobody knows who is there
    assert sides[0] is sides[5] is None
    assert sides[1:5] in ([True, False, True, False], [False, True, False, True])


def test_rates_are_per_second(scripted):
    clock = Clock()
    stream = Stream(scripted[1], clock)
    for _ in range(40):
        clock.now += 0.1
        send(stream, 0, 0)
    told = marks(stream)
    stream.report("")
    assert told[0]["frames_in"] == pytest.approx(20, rel=0.1)


def test_visitors_take_turns(scripted):
    """However many frames one of them sends."""
    reader, analyser = scripted
    greedy, modest = Stream(analyser), Stream(analyser)
    reader.gate.clear()
    send(greedy, 1)
    wait_for(lambda: greedy._waiting is None, "the analyser to be at work")
    for _ in range(20):
        send(greedy, 1)
    send(modest, 2)
    reader.gate.set()
    wait_for(lambda: len(reader.seen) == 3, "three readings")
    assert Counter(reader.seen) == {1: 2, 2: 1}


def test_model_error_is_reported_and_other_streams_continue(scripted, seen, caplog):
    reader, analyser = scripted
    unlucky, lucky = Stream(analyser), Stream(analyser)

    def script(value: int) -> Reading:
        if value == 13:
            raise RuntimeError("a broken model")
        return seen

    reader.script = script
    told_unlucky, told_lucky = marks(unlucky), marks(lucky)
    send(unlucky, 13)
    wait_for(lambda: told_unlucky, "the problem to be said")
    assert "could not be read" in told_unlucky[0]["hint"]
    assert "broken model" in caplog.text
    send(lucky, 1)
    wait_for(lambda: told_lucky, "the other visitor's mood")
    assert (told_lucky[0]["mood"], told_lucky[0]["hint"]) == ("happy", GOOD)
    send(unlucky, 1)
    wait_for(lambda: told_unlucky[-1]["hint"] == GOOD, "the problem to pass")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_dead_analyser_thread_is_restarted_and_reported(scripted, seen, caplog):
    reader, analyser = scripted
    stream = Stream(analyser)

    def script(value: int) -> Reading:
        if value == 13:
            raise SystemExit  # which ends a thread without a word
        return seen

    reader.script = script
    told = marks(stream)
    send(stream, 13)
    wait_for(lambda: not analyser._thread.is_alive(), "the thread to die")
    reader.gate.clear()
    send(stream, 1)
    assert "Moods were not read for a moment" in told[0]["hint"]
    assert "started again" in caplog.text
    reader.gate.set()
    wait_for(lambda: len(told) > 1, "the mood")
    assert (told[1]["mood"], told[1]["hint"]) == ("happy", GOOD)
    analyser.stop()
    send(stream, 2)
    assert not analyser._thread.is_alive(), "who stopped it meant it"


def test_mood_disappears_after_the_face_is_gone(scripted, seen):
    clock = Clock()
    stream = Stream(scripted[1], clock)
    stream.add(replace(seen, at=clock.now), SIZE)
    assert stream.moment() is not None
    clock.now += 1.5
    assert stream.moment() is None


def test_mood_stays_visible_with_a_model_slower_than_a_second(scripted, seen):
    clock = Clock()
    stream = Stream(scripted[1], clock)
    for _ in range(4):
        clock.now += 2.0
        stream.add(replace(seen, at=clock.now - 2.0), SIZE)
        for _ in range(19):
            clock.now += 0.1
            assert [each.at for each in stream.moment().readings] == [stream.newest().at]
        clock.now -= 1.9
    clock.now += 3.1
    assert stream.moment() is None


def test_a_moment_is_the_last_second_and_a_half_of_one_face(scripted, seen, unseen):
    clock = Clock()
    stream = Stream(scripted[1], clock)
    elsewhere = replace(seen, faces=(replace(seen.face, x=seen.face.x + 250),))
    for step in range(30):
        clock.now += 0.1
        reading = elsewhere if step < 20 else unseen if step == 25 else seen
        stream.add(replace(reading, at=clock.now), SIZE)
    moment = stream.moment()
    ages = [round(clock.now - reading.at, 1) for reading in moment.readings]
    assert ages == [0.9, 0.8, 0.7, 0.6, 0.5, 0.3, 0.2, 0.1, 0.0]
    clock.now += MOMENT + 0.1
    assert stream.moment() is None


def test_small_faces_are_searched_periodically_and_while_there_is_one(scripted, seen):
    clock = Clock()
    stream = Stream(scripted[1], clock)
    closely = []
    for _ in range(12):
        closely.append(stream.expected(clock.now).closely)
        clock.now += 0.09
    assert closely == [True, False, False, False, False, False] * 2
    small = replace(seen, at=clock.now, faces=(replace(seen.face, width=40, height=45),))
    stream.add(small, SIZE)
    expected = stream.expected(clock.now + 0.05)
    assert (expected.before, expected.closely) == (small.face, True)
    stream.add(replace(seen, at=clock.now + 0.1), SIZE)
    expected = stream.expected(clock.now + 0.15)
    assert (expected.before, expected.closely) == (seen.face, False)


def test_pictures_of_a_visitor_who_left_are_dropped_unread(scripted):
    reader, analyser = scripted
    stream = Stream(analyser)
    send(stream, 1)
    wait_for(stream.newest, "a reading")
    stream.close()
    stream.close()
    assert not analyser._streams
    send(stream, 2)
    other = Stream(analyser)
    send(other, 3)
    wait_for(other.newest, "another visitor's reading")
    assert reader.seen == [1, 3]
    assert (stream.moment(), stream._waiting, stream.newest()) == (None, None, None)


def test_a_visitor_whose_page_connects_again_is_read_again(scripted):
    _, analyser = scripted
    stream, told = Stream(analyser), []
    assert not stream.open()
    stream.close()
    assert stream.open()
    assert analyser._streams == {stream}
    stream.subscribe(told.append)
    send(stream, 1)
    wait_for(lambda: told and stream.moment(), "a reading")


def test_a_camera_that_was_stopped_leaves_no_pictures(scripted):
    _, analyser = scripted
    stream = Stream(analyser)
    send(stream, 1)
    wait_for(lambda: stream.moment(), "a reading")
    stream.forget()
    assert (stream.moment(), stream.newest()) == (None, None)
    send(stream, 2)
    wait_for(lambda: stream.moment(), "a reading after another start")


def test_a_frame_that_was_being_read_when_the_camera_was_stopped_leaves_no_pictures(scripted):
    reader, analyser = scripted
    stream, told = Stream(analyser), []
    stream.subscribe(told.append)
    reader.gate.clear()
    send(stream, 1)
    wait_for(lambda: stream._waiting is None, "the analyser to be at work")
    stream.forget()
    reader.gate.set()
    wait_for(lambda: reader.seen == [1], "the reading")
    send(stream, 2)
    wait_for(lambda: told, "a mark after another start")
    assert [reading.at >= stream._forgotten for reading in stream._readings] == [True]


def test_a_model_that_is_swapped_reads_the_next_frame(scripted, seen):
    reader, analyser = scripted
    stream = Stream(analyser)
    send(stream, 1)
    wait_for(lambda: reader.seen == [1], "the first reading")
    other = analyser.reader = ScriptedReader(lambda value: seen)
    send(stream, 2)
    wait_for(lambda: other.seen == [2], "the other model's reading")
    assert reader.seen == [1]


def test_unreadable_frame_keeps_a_recent_mood(seen, scripted):
    clock = Clock()
    stream = Stream(scripted[1], clock)
    told = marks(stream)
    stream.add(replace(certain(seen, "sad"), at=clock.now), (512, 512))
    stream.report("It was damaged.")
    clock.now += 10
    stream.report("It was damaged.")
    good, damaged, late = told
    assert damaged["hint"] == late["hint"] == "It was damaged."
    assert [damaged[name] for name in ("mood", "faces")] == [good[name] for name in ("mood", "faces")]
    assert (late["mood"], late["faces"]) == ("", [])


@pytest.mark.shared_data
def test_moods_of_a_recorded_actor_are_steady_and_change(reader, shared):
    """CREMA-D: neutral, happy, sad, angry, fear, disgust, two seconds each, acted and subtle."""
    clock = Clock()
    analyser = Analyser(reader)
    stream = Stream(analyser, clock)
    shown, raw = [], []
    with av.open(str(shared / "video" / "cremad_1001_six_emotions.mp4")) as video:
        for i, picture in enumerate(video.decode(video=0)):
            if i % 2:
                continue
            clock.now = 100.0 + picture.time
            expected = stream.expected(clock.now)
            reading = reader.read_frame(picture.to_ndarray(format="rgb24"), clock.now, expected)
            stream.add(reading, SIZE)
            assert reading.face is not None
            shown.append(stream.moment().distribution.mood)
            raw.append(NAMES[int(np.argmax(reading.probabilities))])
    analyser.stop()
    changes = sum(a != b for a, b in pairwise(shown))
    raw_changes = sum(a != b for a, b in pairwise(raw))
    assert "happy" in shown[38:58], "the happy span is read as happy"
    assert len(set(shown)) >= 3
    assert changes <= 14 and changes < raw_changes / 3, (changes, raw_changes)


# streamlit-webrtc leaves the event loop of each of its threads to the garbage collector.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_twenty_visitors_leave_no_threads_tracks_or_memory_behind(reader):
    """Real WebRTC at both ends. Eight come first, so that what is made once is made."""
    pictures = [picture[::2, ::2] for picture in moving_head(steps=8)]
    process = psutil.Process(os.getpid())
    analyser = Analyser(Reader(reader.detector, reader.classifier))

    def come_and_go(loop: asyncio.AbstractEventLoop) -> None:
        stream = Stream(analyser)
        opened = []

        async def exchange(offer: str) -> str:
            worker, answer = await asyncio.to_thread(let_in, loop, offer, stream)
            opened.append(worker)
            return answer

        asyncio.run(visit(exchange, pictures, fps=15, seconds=0.0))  # until the first mark has come back
        opened.pop().stop()
        stream.close()

    def left() -> tuple[set[str], int, int]:
        gc.collect()
        tracks = sum(issubclass(type(thing), MediaStreamTrack) for thing in gc.get_objects())
        # A loop's pool of threads grows when two wait at once, and ends with the loop.
        names = {t.name for t in threading.enumerate() if not t.name.startswith("asyncio_")}
        return names, tracks, process.memory_info().rss

    with event_loop() as loop:
        for _ in range(8):
            come_and_go(loop)
        threads, tracks, memory = left()
        grown = []
        # What leaks does so each time; what else this process remembers of other tests comes and goes.
        while len(grown) < 3 and not any(each < 25e6 for each in grown):
            for _ in range(20):
                come_and_go(loop)
            wait_for(lambda: left()[0] <= threads, f"the threads to end: {left()[0] - threads}")
            wait_for(lambda: left()[1] <= tracks, "the tracks to go")
            assert not analyser._streams
            before, memory = memory, left()[2]
            grown.append(memory - before)
        assert min(grown) < 25e6, grown
    analyser.stop()
