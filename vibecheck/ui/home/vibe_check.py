"""A press of "Check my vibe": a prediction, its record, a playlist, and the visitor's answer."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal

import streamlit as st

from vibecheck import check
from vibecheck.emotions import Distribution
from vibecheck.errors import NoFace, PictureStorageError, RecordsError
from vibecheck.music.catalogue import read_catalogue
from vibecheck.music.recommender import Mode, Suggestion, why
from vibecheck.music.spotify import Playlist
from vibecheck.records.db.circuit_breaker import CircuitBreaker
from vibecheck.records.labels.pagination import Filters
from vibecheck.records.values import Feedback, Prediction
from vibecheck.ui.home import consent
from vibecheck.ui.shared import app
from vibecheck.ui.shared.delete_my_data import follow_deletion
from vibecheck.ui.shared.error_text import error_text
from vibecheck.ui.shared.presses import remember
from vibecheck.ui.shared.process_state import ProcessValue
from vibecheck.ui.shared.visitor import visitor
from vibecheck.video.clip import EVERY, UPLOAD, Clip, read_moment, summarise
from vibecheck.vision import drawing
from vibecheck.vision.images import decode, encode_jpeg
from vibecheck.vision.reader import Moment

# A page that is reloaded within this time shows the last result again.
RECENT = timedelta(hours=1)
# While the records fail slowly, not each run of a page waits for them.
_restoring = ProcessValue(CircuitBreaker)
ONLY_NUMBERS = "The numbers of this vibe check were recorded, your face was not."
ONLY_MUSIC = "The music follows your answer, which is not recorded, as you chose."


@dataclass(frozen=True, slots=True)
class Result:
    """What the card shows: a vibe check, or a mood that the visitor picked (then `prediction` is None).

    `said` is the visitor's answer, or empty. `recorded` says whether it has a row, `problem` why
    it has none although it should. `face` is the face at that moment (JPEG), empty if it is not
    known. For a photo, `picture` (JPEG) shows it with its faces boxed; for a clip, `timeline` has the mood
    at each time in seconds (None without a face), and `summary` is in words. `photo` is the key of either.
    """

    mood: str
    prediction: Prediction | None = None
    said: str = ""
    hints: tuple[str, ...] = ()
    faces: int = 0
    recorded: bool = False
    problem: str = ""
    face: bytes = b""
    photo: str = ""
    picture: bytes = b""
    timeline: tuple[tuple[float, Distribution | None], ...] = ()
    summary: str = ""

    @property
    def key(self) -> str:
        """Tells this result from any other of the session."""
        return self.prediction.id if self.prediction else f"picked-{self.mood}"

    @property
    def heard(self) -> str:
        """The mood that the music follows: what the visitor says, else what was predicted or picked."""
        return self.said or self.mood

    @property
    def clear(self) -> bool:
        """Whether `heard` is beyond doubt: picked, said, or clearly the largest probability."""
        read = self.prediction
        return read is None or bool(self.said) or Distribution.of(read.probabilities).clear


@dataclass(frozen=True, slots=True)
class Playing:
    """The current playlist, and the result and mood for which it was suggested."""

    result: str
    mood: str
    suggestion: Suggestion


def check_photo(data: bytes, name: str, source: str, key: str) -> None:
    """A vibe check of a picture file. Raises PictureError or TooManyChecks."""
    _admit()
    picture = decode(data, name=name)
    reading = app.live_model().reader.read_still(picture)
    result = _checked(Moment.of(reading), source)
    assert result.prediction is not None
    drawn = drawing.fitted(picture, reading.faces, Distribution.of(result.prediction.probabilities))
    _show(replace(result, photo=key, picture=encode_jpeg(drawn)))


def check_clip(data: bytes, name: str, key: str, seen: Callable[[float], object]) -> None:
    """A vibe check of a video file, with its prevailing mood and the best face while that was shown.

    `seen` is called with the share that has been read, 0 to 1; what it raises ends the check. Raises
    PictureError or TooManyChecks.
    """
    _admit()
    with Clip(data, name, UPLOAD) as clip:
        length = clip.seconds or UPLOAD.seconds
        reader = app.live_model().reader
        readings, moment = read_moment(clip, reader, seen=lambda at: seen(min(1.0, at / length)))
    if moment is None:
        raise NoFace(f"No face was found in {name}. Take another video, closer to the face.")
    sentence = summarise(readings, EVERY, clip.end).sentence
    if clip.damaged_at is not None:
        sentence += f" It is damaged or cut short after {clip.damaged_at:.0f} s."
    timeline = tuple((each.at_s, each.mood) for each in readings)
    _show(replace(_checked(moment, "video"), photo=key, timeline=timeline, summary=sentence))


def check_moment(moment: Moment | None) -> None:
    """A vibe check of a moment of live video. Raises NoFace or TooManyChecks."""
    _admit()
    _show(_checked(moment, "live"))


def pick(mood: str) -> None:
    """Show the music of a mood that the visitor picked; nothing is read, predicted or recorded.

    A file that is being read at the moment is not read any further.
    """
    remember(checking="")
    _show(Result(mood))


def _admit() -> None:
    """Count a vibe check before any work is done for it. Raises TooManyChecks."""
    check.limiter.admit(visitor(), st.context.ip_address)


def _checked(moment: Moment | None, source: str) -> Result:
    """The prediction of a moment, recorded before anybody sees it, unless nothing may be kept.

    Raises NoFace.
    """
    follow_deletion()  # in another tab: the next run of the page would forget this result with the others
    prediction, best = check.predict(
        moment,
        source=source,
        visitor=visitor(),
        now=datetime.now(UTC),
        audit_share=app.settings().audit_share,
    )
    crop, face_in_crop = best.kept()
    face = encode_jpeg(crop)
    unrecorded = Result(prediction.mood, prediction, hints=best.hints, faces=len(best.faces), face=face)
    keep = consent.choice()
    if keep == "nothing":
        return unrecorded
    shadow = app.shadow_models()
    always = app.settings().audit_share == 1
    record = partial(check.record, best=best, always_ask=always, hold=shadow.wait)
    try:
        try:
            prediction = record(app.store(), prediction, keep_picture=keep == "face")
        except PictureStorageError as error:
            prediction = record(app.store(), prediction, keep_picture=False)
            unrecorded = replace(unrecorded, problem=f"{error_text(error)} {ONLY_NUMBERS}")
        if prediction.visitor != visitor():  # they deleted their data in another tab meanwhile
            app.store().forget([prediction.id], datetime.now(UTC))
            return unrecorded
    except RecordsError as error:
        return replace(unrecorded, problem=error_text(error))
    shadow.submit(prediction.id, crop, face_in_crop)
    return replace(unrecorded, prediction=prediction, recorded=True)


def _show(result: Result) -> None:
    remember(result=result, result_open=True, note="")


def result() -> Result | None:
    """The newest result of this session."""
    return st.session_state.get("result")


def shown() -> Result | None:
    """The result that is shown in place of the live mood, if any."""
    return result() if st.session_state.get("result_open") else None


def close() -> None:
    """Go back to the live mood; the music plays on."""
    st.session_state.result_open = False
    st.session_state.setdefault("result", None)  # nothing is restored over live video


def restore() -> None:
    """Restore this visitor's last result, once per session, after the page was reloaded."""
    if "result" in st.session_state:
        return
    mine = Filters(visitor=visitor(), since=datetime.now(UTC) - RECENT)
    try:
        keeps = consent.choice() != "nothing"
        newest = _restoring().attempt(lambda: app.store().page(mine, None, 1)) if keeps else []
        plays = app.store().plays_of(newest[0].prediction.id) if newest else []
    except RecordsError:
        return  # a later run tries again; parts of the page that need the records report the problem
    if not newest:
        st.session_state.result = None
        return
    last = newest[0].prediction
    picture = b""
    with suppress(RecordsError):  # the storage of the pictures may fail alone
        picture = app.store().picture(last.id) or b""
    restored = Result(last.mood, last, _said(newest[0].labels), recorded=True, face=picture)
    # A playlist that followed an earlier answer is not brought back.
    if plays and (plays[-1].followed or last.mood) == restored.heard:
        play, mood = plays[-1], restored.heard
        mode: Mode = "lift" if play.mode == "lift" else "match"
        st.session_state.mode = mode
        found_by: Literal["search", "catalogue"] = "search" if play.found_by == "search" else "catalogue"
        playlist = Playlist(play.playlist_id, play.playlist_name or "Your playlist", mood, found_by)
        reason = why(read_catalogue()[mood], mode, playlist.id, restored.clear)
        _play(restored, Suggestion(playlist, mode, reason), st.session_state.get("suggested", []))
    _show(restored)  # last, since another press may end this run before


def follow_labels(prediction_id: str) -> None:
    """Update the newest result if it is this vibe check, whose labels another page has changed."""
    newest = result()
    if newest is not None and newest.key == prediction_id:
        with suppress(RecordsError):  # the label is recorded; the page shows it after the next reload
            st.session_state.result = replace(newest, said=_said(app.store().feedback_of(prediction_id)))


def _said(labels: Sequence[Feedback]) -> str:
    """The mood in this visitor's last label; empty if they gave none, or cannot tell."""
    return next((each.mood or "" for each in reversed(labels) if each.given_by == visitor()), "")


def playing() -> Playing | None:
    """The last suggestion in this session."""
    return st.session_state.get("playing")


def suggest(result: Result, mode: Mode, again: bool = False) -> Suggestion:
    """The next playlist for a result, recorded as a play of its prediction unless nothing may be kept now.

    With `again`, one that was not suggested in this session before; if there is none, the last one stays.
    """
    heard: list[str] = st.session_state.get("suggested", [])
    suggestion = app.music().suggest(result.heard, mode, heard if again else [], result.clear)
    stays = again and suggestion.playlist.id in heard
    keeps = result.recorded and consent.choice() != "nothing"
    if keeps and result.prediction is not None and not stays:
        try:
            app.store().played(
                result.prediction.id,
                playlist_id=suggestion.playlist.id,
                playlist_name=suggestion.playlist.name,
                mode=mode,
                again=again,
                found_by=suggestion.playlist.found_by,
                now=datetime.now(UTC),
                category=suggestion.playlist.mood,
                followed=result.said or None,
            )
        except RecordsError as error:
            suggestion = replace(suggestion, note=f"This playlist was not recorded. {error_text(error)}")
    _play(result, suggestion, heard)
    return suggestion


def _play(result: Result, suggestion: Suggestion, heard: list[str]) -> None:
    playing = Playing(result.key, result.heard, suggestion)
    remember(playing=playing, suggested=[*heard, suggestion.playlist.id])


def answer(prediction: Prediction, label: str) -> None:
    """Record what the visitor says the mood was: as an audit if they were asked, else as volunteered.

    If nothing may be kept now, it only changes the music. `prediction` is the one that was asked about,
    which a newer one may have replaced meanwhile.
    """
    source = "audit" if prediction.audit else "volunteered"
    newest, note = result(), ONLY_MUSIC
    if consent.choice() != "nothing":
        try:
            app.store().label(prediction.id, label, source, visitor(), datetime.now(UTC))
        except RecordsError as error:
            st.session_state.note = error_text(error)
            return
        note = ""
    if newest is not None and newest.key == prediction.id:
        newest = replace(newest, said=label)
    remember(note=note, result=newest)
