from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.databases import open_store
from vibecheck import check
from vibecheck.emotions import Distribution
from vibecheck.errors import NoFace, PictureStorageError, TooManyChecks
from vibecheck.records.pictures import Pictures
from vibecheck.settings import Settings
from vibecheck.vision.faces import Face, FaceQuality
from vibecheck.vision.images import decode
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.reader import Moment, Reading

FACE = Face(0, 0, 9, 9, ((1, 1),) * 5, 1.0)
FINE = FaceQuality(light=130, blur=200, size=120, yaw=0, roll=0)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CROP = np.zeros((8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def seen(reader, astronaut) -> Reading:
    return reader.read_still(astronaut)


@pytest.fixture(scope="module")
def unseen(reader, empty_room) -> Reading:
    return reader.read_still(empty_room)


def predict(moment, **changes):
    plain = {"source": "live", "visitor": "v", "now": NOW}
    return check.predict(moment, **plain | changes)


def test_photo_is_predicted_as_a_moment_of_one_reading(seen):
    prediction, best = predict(Moment.of(seen), source="photo")
    assert prediction.probabilities == pytest.approx(seen.probabilities)
    assert (prediction.mood, prediction.source, prediction.made_at) == ("happy", "photo", NOW)
    assert prediction.confidence == max(prediction.probabilities)
    assert prediction.model_version == seen.model.version
    assert best == seen


def test_shown_distribution_is_recorded_whatever_the_last_readings_say(seen):
    shown = Distribution.of([0.1, 0.1, 0.3, 0.05, 0.05, 0.35, 0.05])
    prediction, _ = predict(Moment(shown, (seen, seen)))
    assert (prediction.mood, prediction.confidence) == ("sad", 0.35)
    assert prediction.probabilities == shown.probabilities


def test_the_best_face_of_the_moment_is_the_one_kept(seen):
    dark = replace(seen, quality=replace(seen.quality, light=20.0))
    _, best = predict(replace(Moment.of(seen), readings=(dark, seen, dark)))
    assert best.kept is seen.kept and best.quality is seen.quality


def test_frame_not_searched_for_other_people_is_read_but_not_kept(seen):
    followed = replace(seen, quality=replace(seen.quality, blur=9000.0), kept=None)
    moment = Moment.of(seen)
    _, best = predict(replace(moment, readings=(seen, followed)))
    assert best.kept is seen.kept
    newer = replace(followed, model=Manifest(version="newer", origin="somewhere"))
    prediction, best = predict(replace(moment, readings=(seen, newer)))
    assert (prediction.model_version, best.model.origin) == ("newer", "somewhere") and best.kept is seen.kept
    with pytest.raises(NoFace, match="only just come into view"):
        predict(replace(moment, readings=(followed,)))


def test_a_moment_without_a_face_is_refused_with_the_step_to_take(unseen):
    with pytest.raises(NoFace, match="Look at the camera"):
        predict(Moment.of(unseen))
    with pytest.raises(NoFace, match="Choose another picture"):
        predict(Moment.of(unseen), source="upload")


def test_each_check_has_its_own_id(seen):
    ids = {predict(Moment.of(seen))[0].id for _ in range(50)}
    assert len(ids) == 50
    assert all(len(id) == 32 and int(id, 16) >= 0 for id in ids)


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1))
def test_audits_are_drawn_with_the_configured_share(drawn, share):
    shares, model = (1.0, 0, 0, 0, 0, 0, 0), Manifest(version="m-1")
    reading = Reading(0.0, (FACE,), shares, FINE, lambda: (CROP, FACE), 1.0, model)
    assert predict(Moment.of(reading), audit_share=share, draw=lambda: drawn)[0].audit is (drawn < share)


def test_prediction_is_on_disk_before_the_result_is_returned(seen, tmp_path):
    settings = Settings(data=tmp_path)
    store = open_store(settings)
    for keep in (False, True):
        prediction, best = predict(Moment.of(seen))
        kept = check.record(store, prediction, best, keep)
        again = open_store(settings)
        assert [model.origin for model in again.model_versions()] == [seen.model.origin]
        assert again.get(kept.id) == kept
        assert kept.picture_kept is keep
        assert Pictures(settings.images_url).exists(kept.id) is keep
        again.close()
    picture = decode(store.picture(kept.id))
    assert np.abs(picture.astype(float) - seen.kept()[0]).mean() < 3
    store.close()


def test_audits_are_limited_per_day_and_spaced_in_time(seen, tmp_path):
    store = open_store(Settings(data=tmp_path))
    noon = datetime(2026, 2, 1, 12, tzinfo=UTC)

    def asked(seconds: float, visitor: str = "keen", always: bool = False) -> bool:
        moment = noon + timedelta(seconds=seconds)
        prediction, best = check.predict(
            Moment.of(seen), source="live", visitor=visitor, now=moment, audit_share=1.0
        )
        return check.record(store, prediction, best, False, always).audit

    assert [asked(second) for second in (0, 1, 7)] == [True, False, True], "one second is no time to look"
    assert [asked(second) for second in (60, 120)] == [True, False], "three a day"
    assert asked(121, "other") and asked(86_400) and not asked(7200)
    assert asked(7201, always=True)
    store.close()


def test_numbers_can_be_recorded_where_the_disk_is_too_full_for_the_face(seen, tmp_path, monkeypatch):
    store = open_store(Settings(data=tmp_path))
    monkeypatch.setattr("vibecheck.records.pictures.FREE_DISK_FLOOR", 10**18)
    prediction, best = predict(Moment.of(seen))
    with pytest.raises(PictureStorageError, match="nearly full"):
        check.record(store, prediction, best, keep_picture=True)
    kept = check.record(store, prediction, best, keep_picture=False)
    assert not kept.picture_kept and store.picture(kept.id) is None
    assert store.get(kept.id) == kept
    store.close()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_vibe_checks_are_limited_per_visitor_and_in_total():
    clock = Clock()
    limiter = check.CheckLimiter(per_visitor=3, per_address=9, for_all=5, clock=clock)
    for _ in range(3):
        limiter.admit("a")
        clock.now += 1
    with pytest.raises(TooManyChecks, match=r"3 vibe checks within a minute\. Wait 57 seconds"):
        limiter.admit("a")
    limiter.admit("b")
    limiter.admit("b")
    with pytest.raises(TooManyChecks, match=r"Too many people check .* Wait 57 seconds"):
        limiter.admit("c")
    clock.now += 56
    with pytest.raises(TooManyChecks, match="Wait 1 second, and"):
        limiter.admit("a")
    clock.now += 1
    limiter.admit("a")
    with pytest.raises(TooManyChecks):
        limiter.admit("a")
    clock.now += 600
    for _ in range(3):
        limiter.admit("a")


def test_new_visitors_of_one_address_leave_room_for_others():
    limiter = check.CheckLimiter(per_visitor=3, per_address=4, for_all=6, clock=Clock())
    for number in range(4):
        limiter.admit(f"new-{number}", "10.0.0.1")
    with pytest.raises(TooManyChecks, match="Too many people in your network"):
        limiter.admit("new-5", "10.0.0.1")
    limiter.admit("other", "10.0.0.2")
