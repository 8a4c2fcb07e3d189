"""The corrections page: what each role sees, and what each button does."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from tests.records.examples import NOON, a_prediction
from tests.ui.conftest import COOKIE, ME, end_this_run
from tests.ui.examples import face, shares
from vibecheck.access.roles import Role
from vibecheck.emotions import EMOTIONS, NAMES
from vibecheck.errors import RecordsError
from vibecheck.records.db.circuit_breaker import CircuitBreaker
from vibecheck.records.pictures import Pictures
from vibecheck.records.store import Store
from vibecheck.records.values import CANT_TELL
from vibecheck.ui.corrections import labelling_session as session
from vibecheck.ui.corrections.labelling_session import NOT_FOUND, PAGE
from vibecheck.ui.home.vibe_check import Result
from vibecheck.ui.shared import face_pictures
from vibecheck.ui.shared.process_state import ProcessValue

PAGE_FILE = "pages/1_Corrections.py"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def add(store):
    def one(visitor=ME, minutes=0, mood="happy", kept=True, **changes):
        made = a_prediction(
            visitor=visitor,
            made_at=NOON + minutes * MINUTE,
            picture_kept=kept,
            **{**shares(mood, 0.8), **changes},
        )
        store.add(made, face() if kept else None)
        return made

    return one


def text(page) -> str:
    """All that the page says, its pictures included."""
    return "\n".join([str(each.value) for each in (*page.markdown, *page.warning, *page.success)])


def press(page, key):
    """Press the button with this shortcut."""
    (button,) = [each for each in page.button if each.key and each.key.startswith(f"{key}-")]
    return button.click().run()


def sent(page) -> str:
    """Everything that went to the browser."""
    return str([element.proto for element in page.main])


def views(page):
    return [each.options for each in page.segmented_control]


def test_empty_history_says_where_to_begin(open_page):
    page = open_page(PAGE_FILE)
    assert "No vibe checks yet" in text(page) and not page.exception


def test_visitor_sees_only_their_own_vibe_checks(open_page, add):
    add(visitor="somebody", mood="angry")
    add(mood="sad", minutes=-5)
    page = open_page(PAGE_FILE)
    assert "sad" in text(page) and "data:image/jpeg" in text(page)
    assert "angry" not in text(page)
    assert not page.segmented_control and not page.selectbox and not page.main.expander


def test_visitor_sees_that_a_labeller_labelled_but_not_which(open_page, add, store):
    store.label(add().id, "fear", "labeller", "beef" * 16, NOON, "useful")
    page = open_page(PAGE_FILE)
    assert "A labeller said afraid (useful queue)" in text(page) and "beef" not in text(page)


@pytest.mark.parametrize(("key", "label"), [(str(i), e.name) for i, e in enumerate(EMOTIONS, 1)] + [
    ("Enter", "happy"), ("0", CANT_TELL)
])  # fmt: skip
def test_button_press_stores_a_volunteered_label(open_page, add, store, key, label):
    made = add(audit=True)
    press(open_page(PAGE_FILE), key)
    (given,) = store.feedback_of(made.id)
    # Volunteered, though an audit was drawn: who comes here has seen the answer.
    assert (given.label, given.source, given.given_by, given.queue) == (label, "volunteered", ME, None)


def test_newest_vibe_check_comes_first_and_the_next_after_each_label(open_page, add, store):
    older, newest = add(minutes=-1, mood="sad"), add(mood="fear")
    page = open_page(PAGE_FILE)
    assert "afraid" in text(page)
    page = press(page, "1")
    page = press(page, "2")
    assert [store.feedback_of(each.id)[0].label for each in (newest, older)] == ["angry", "disgust"]


def test_stale_button_labels_nothing(add, store):
    """One key may reach a button that a slow browser has not taken away yet, besides the one in its place."""
    before, now = add(minutes=-1), add()

    def stale_and_new(before, now):
        from vibecheck.ui.corrections import labelling_session as session

        session.progress().drawn = now
        session.label("mine", before, None, "happy")
        session.label("mine", now, None, "happy")

    session = AppTest.from_function(stale_and_new, args=(before.id, now.id), default_timeout=60)
    session.session_state["visitor"] = COOKIE
    session.run()
    assert not session.exception
    assert [len(store.feedback_of(each.id)) for each in (before, now)] == [0, 1]


def test_last_label_of_a_page_leads_to_the_next_page(open_page, add, store):
    made = [add(minutes=-number, kept=False) for number in range(PAGE + 2)]
    page = open_page(PAGE_FILE)
    for _ in range(PAGE + 1):
        page = press(page, "1")
    labelled = [bool(store.feedback_of(each.id)) for each in made]
    assert labelled == [True] * (PAGE + 1) + [False]
    newer = page.button(key="newer")
    assert not newer.disabled and page.button(key="older").disabled
    assert page.button(key="newer").click().run().button(key="newer").disabled


def test_page_of_which_nothing_is_left_leads_back_to_the_newer_one(open_page, add, store):
    made = [add(visitor="a", minutes=-number) for number in range(PAGE + 1)]
    page = open_page(PAGE_FILE, Role.LABELLER)
    page = page.button_group(key="filter-flags").set_value(["unlabelled"]).run()
    page = page.button(key="older").click().run()
    page = press(page, "1")
    assert store.feedback_of(made[-1].id) and not store.feedback_of(made[0].id)
    assert "No matches" not in text(page) and page.button(key="newer").disabled
    page = press(page, "1")
    assert store.feedback_of(made[0].id)


def test_vibe_checks_that_expire_while_they_are_shown_lead_back_to_the_newer_page(open_page, add, store):
    made = [add(minutes=-number, kept=False) for number in range(PAGE + 1)]
    page = open_page(PAGE_FILE)
    page = page.button(key="older").click().run()
    store.purge(made[-2].made_at)
    page = page.run()
    assert "No vibe checks yet" not in text(page) and page.button(key="newer").disabled


def test_two_quick_labels_of_the_last_of_a_page_open_one_page(monkeypatch):
    here = session.LabellingState()
    monkeypatch.setattr(session, "progress", lambda: here)
    for _ in range(2):
        session.go_older((NOON, "0" * 32))
    assert here.trail == [None, (NOON, "0" * 32)]


def test_correction_offers_to_keep_the_face_crop_still_in_memory(open_page, add, store):
    made = add(kept=False)
    add(kept=False, minutes=-1)
    page = open_page(PAGE_FILE)
    page.session_state["result"] = Result(made.mood, made, recorded=True, face=face())
    page = press(page, "Enter")
    assert "Keep this face crop" not in text(page), "it was right"
    page = press(press(page, "undo"), "1")
    assert "Keep this face crop" in text(page) and store.picture(made.id) is None
    page = page.button(key="keep_it").click().run()
    assert store.picture(made.id) == face()
    assert "Keep this face crop" not in text(page) and "is kept. Thank you" in page.toast[0].value


def test_undo_removes_only_labels_of_this_session_and_goes_back_to_them(open_page, add, store):
    first, second = add(), add(minutes=-1)
    before = store.label(first.id, "sad", "audit", ME, NOON)
    page = press(open_page(PAGE_FILE), "1")
    page = press(page, "2")
    page = press(page, "undo")
    assert store.feedback_of(second.id) == []
    page = press(page, "undo")
    assert store.feedback_of(first.id) == [before]
    (undo,) = [each for each in page.button if each.label == "Undo"]
    assert undo.disabled, "what was said elsewhere is not taken back here"


def test_undo_that_fails_can_be_pressed_again(open_page, add, store, monkeypatch):
    first, second = add(), add(minutes=-1)
    page = press(press(open_page(PAGE_FILE), "1"), "2")
    with monkeypatch.context() as outage:
        outage.setattr(Store, "undo_label", refused)
        page = press(page, "undo")
    assert "cannot be reached" in text(page)
    page = press(page, "undo")
    assert [len(store.feedback_of(each.id)) for each in (first, second)] == [1, 0], "the last one, as asked"


def refused(*_, **__):
    raise RecordsError("The Postgres database vibecheck cannot be reached.")


def test_undo_skips_a_vibe_check_that_was_deleted(open_page, add, store):
    first, second = add(), add(minutes=-1)
    page = press(press(open_page(PAGE_FILE), "1"), "2")
    store.forget([second.id], NOON)
    page = press(page, "undo")
    assert "may be deleted" in text(page)
    press(page, "undo")
    assert store.feedback_of(first.id) == []


def test_undo_keeps_a_label_that_was_only_repeated(open_page, add, store):
    first, second = add(), add(minutes=-1)
    before = store.label(second.id, "disgust", "volunteered", ME, NOON)
    page = press(press(open_page(PAGE_FILE), "1"), "2")
    assert store.feedback_of(second.id) == [before]
    page = press(page, "undo")
    assert store.feedback_of(second.id) == [before] and len(store.feedback_of(first.id)) == 1
    press(page, "undo")
    assert store.feedback_of(second.id) == [before] and store.feedback_of(first.id) == []


def test_labeller_sees_all_vibe_checks_and_their_labels(open_page, add, store):
    made = add(visitor="somebody", mood="angry")
    store.label(made.id, "fear", "volunteered", "somebody", NOON)
    store.label(made.id, CANT_TELL, "labeller", "beef" * 16, NOON, "useful")
    page = open_page(PAGE_FILE, Role.LABELLER)
    assert "Its visitor said afraid (volunteered)" in text(page)
    assert "Labeller beef said can&#x27;t tell (useful queue)" in text(page)
    assert "beefbeef" not in text(page)
    press(page, "3")
    given = store.feedback_of(made.id)[-1]
    assert (given.label, given.source, given.given_by, given.queue) == ("fear", "labeller", ME, None)


@pytest.mark.parametrize("queue", ["useful", "random"])
def test_label_is_stored_with_its_queue(open_page, add, store, queue):
    made = add(visitor="somebody")
    page = open_page(PAGE_FILE, Role.LABELLER)
    page = page.segmented_control(key="view").set_value(queue).run()
    page = press(page, "3")
    (given,) = store.feedback_of(made.id)
    assert (given.label, given.source, given.queue) == ("fear", "labeller", queue)
    assert "0 left" in text(page) and "Nothing left to label" in text(page)


def test_random_queue_sends_neither_the_models_answer_nor_labels(open_page, add, store):
    made = add(visitor="somebody", mood="disgust")
    store.label(made.id, "fear", "audit", "somebody", NOON)
    page = open_page(PAGE_FILE, Role.LABELLER)
    assert "disgust" in text(page)
    page = page.segmented_control(key="view").set_value("random").run()
    words = text(page).lower()
    assert "disgust" not in words and "fear" not in words and "80%" not in words
    assert made.id[:4] not in words
    assert not [each for each in page.button if "Right" in each.label], "nobody can agree unseen"


def test_second_labeller_is_asked_without_being_told(open_page, add, store):
    made = add(id="0" * 29 + "199", visitor="somebody", mood="disgust")
    store.label(made.id, "fear", "labeller", "somebody else", NOON, "random")
    page = open_page(PAGE_FILE, Role.LABELLER)
    page = page.segmented_control(key="view").set_value("random").run()
    assert "1 left" in text(page) and "fear" not in text(page).lower() and "second" not in text(page).lower()
    page = press(page, "3")
    assert [each.source for each in store.feedback_of(made.id)] == ["labeller", "second"]
    assert "0 left" in text(page) and "Nothing left to label" in text(page)


def test_labels_of_a_labeller_can_be_filtered(open_page, add, store):
    angry, _ = add(visitor="a", mood="angry"), add(visitor="b", mood="sad", minutes=-1)
    store.label(angry.id, "fear", "labeller", "ann", NOON)
    page = open_page(PAGE_FILE, Role.LABELLER)
    page = page.selectbox(key="filter-labeller").set_value("ann").run()
    assert "angry" in text(page) and "Labeller ann said afraid" in text(page)
    assert "sad" not in text(page).replace("Sad", "")


def test_mood_filter_shows_only_matching_vibe_checks(open_page, add):
    add(visitor="a", mood="angry")
    add(visitor="b", mood="sad", minutes=-1)
    page = open_page(PAGE_FILE, Role.LABELLER)
    page = page.selectbox(key="filter-mood").set_value("sad").run()
    assert "sad" in text(page) and "angry" not in text(page)
    page = page.selectbox(key="filter-mood").set_value("fear").run()
    assert "No matches" in text(page)


def test_labeller_starts_with_the_newest_vibe_check_with_a_picture(open_page, add):
    add(visitor="somebody", mood="sad", kept=False)
    add(visitor="somebody", mood="angry", minutes=-1)
    add(visitor="somebody", mood="fear", minutes=-2)
    page = open_page(PAGE_FILE, Role.LABELLER)
    assert "angry" in text(page) and "only its visitor can label it" not in text(page)


def test_vibe_check_without_a_picture_cannot_be_labelled_by_a_labeller(open_page, add):
    add(visitor="somebody", kept=False)
    page = open_page(PAGE_FILE, Role.LABELLER)
    assert "only its visitor can label it" in text(page)
    moods = [each for each in page.button if each.key and each.key[0] in "1234567"]
    assert len(moods) == 7 and all(each.disabled for each in moods)


def test_prediction_id_in_the_address_opens_that_vibe_check(open_page, add):
    add(mood="sad")
    asked = add(mood="fear", minutes=-9)
    page = open_page(PAGE_FILE, prediction_id=asked.id)
    assert "afraid" in text(page) and not page.warning
    other = add(visitor="somebody", mood="disgust", minutes=-20)
    page = open_page(PAGE_FILE, Role.LABELLER, prediction_id=other.id)
    assert "disgust" in text(page) and not page.warning


def test_link_does_not_reveal_whether_anothers_vibe_check_exists(open_page, add):
    others = add(visitor="somebody", mood="disgust")
    said = {text(open_page(PAGE_FILE, prediction_id=each)) for each in (others.id, "f" * 32)}
    assert len(said) == 1
    (words,) = said
    assert NOT_FOUND in words and "disgust" not in words and "data:image" not in words


@pytest.mark.parametrize(
    "asked", ["", "<script>alert(1)</script>", "../../etc/passwd", "\x00\x1b[31m", "ä" * 5000]
)
def test_malformed_id_in_the_address_shows_a_warning(open_page, add, asked):
    add()
    page = open_page(PAGE_FILE, prediction_id=asked)
    assert [each.value for each in page.warning] == [NOT_FOUND] and not page.exception


def test_a_picture_that_is_damaged_or_gone_does_not_stop_the_page(open_page, store, tmp_path):
    for number, jpeg in enumerate((b"\xff\xd8 not really", face())):
        store.add(a_prediction(visitor=ME, picture_kept=True, made_at=NOON - number * MINUTE), jpeg)
    next(iter(sorted(tmp_path.rglob("*.jpg"), key=lambda path: path.stat().st_size))).write_bytes(b"")
    page = open_page(PAGE_FILE)
    assert "The picture cannot be read" in text(page) and not page.exception


def test_records_that_cannot_be_opened_show_a_warning(open_page, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("VIBECHECK_DATA", str(tmp_path / "file"))
    page = open_page(PAGE_FILE)
    assert "VIBECHECK_DATA" in page.warning[0].value and not page.exception


@hypothesis_settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40))
def test_html_in_a_model_version_is_escaped(open_page, store, name):
    made = a_prediction(visitor=ME, model_version=f"<b>{name}")
    store.add(made, None)
    page = open_page(PAGE_FILE)
    assert not page.exception and "<b>" not in text(page)
    store.forget([made.id], NOON)


def test_number_keys_are_the_moods_in_order(open_page, add):
    add()
    page = open_page(PAGE_FILE)
    keys = [each.key[0] for each in page.button if each.key and each.key[0] in "1234567"]
    titles = [each.label.split()[1].lower() for each in page.button if each.key and each.key[0] in "1234567"]
    assert (keys, titles) == (list("1234567"), list(NAMES))


def open_buttons(page) -> set[str]:
    """The keys of the labels that can be given."""
    keys = {each.key.partition("-")[0] for each in page.button if each.key and not each.disabled}
    return keys & {"Enter", *"01234567"}


@pytest.mark.parametrize("view", ["random", "useful", "all"])
def test_a_face_that_cannot_be_shown_is_not_labelled_unseen(open_page, add, store, monkeypatch, view):
    def unavailable(*_):
        raise RecordsError("A picture could not be read.")

    monkeypatch.setattr(face_pictures, "_reads", ProcessValue(CircuitBreaker))
    made = add(visitor="somebody")
    page = open_page(PAGE_FILE, Role.LABELLER)
    page.session_state["view"] = view
    with monkeypatch.context() as outage:
        outage.setattr(Pictures, "get", unavailable)
        assert not open_buttons(page.run()) and "A picture could not be read." in text(page)
    store.pictures.put(made.id, b"damaged")
    monkeypatch.setattr(face_pictures, "_reads", ProcessValue(CircuitBreaker))
    assert open_buttons(page.run()) == {"0"} and "The picture cannot be read." in text(page)
    store.pictures.put(made.id, face())
    assert open_buttons(page.run()) >= {*"01234567"}


def test_ones_own_mood_can_be_corrected_while_the_picture_cannot_be_shown(open_page, add, monkeypatch):
    def unavailable(*_):
        raise RecordsError("A picture could not be read.")

    monkeypatch.setattr(face_pictures, "_reads", ProcessValue(CircuitBreaker))
    add()
    monkeypatch.setattr(Pictures, "get", unavailable)
    page = open_page(PAGE_FILE)
    assert open_buttons(page) == {"Enter", *"01234567"} and "The picture cannot be read." in text(page)


def test_undo_works_while_pictures_cannot_be_read_and_after_the_last_one(open_page, add, store, monkeypatch):
    def unavailable(*_):
        raise RecordsError("A picture could not be read.")

    monkeypatch.setattr(face_pictures, "_reads", ProcessValue(CircuitBreaker))
    first, last = add(visitor="somebody"), add(visitor="somebody", minutes=-1)
    page = open_page(PAGE_FILE, Role.LABELLER)
    page = press(page.segmented_control(key="view").set_value("useful").run(), "3")
    with monkeypatch.context() as outage:
        outage.setattr(Pictures, "get", unavailable)
        page = press(page.run(), "undo")
        assert "A picture could not be read." in text(page) and page.get("bidi_component")
    assert not store.feedback_of(first.id) + store.feedback_of(last.id)
    monkeypatch.setattr(face_pictures, "_reads", ProcessValue(CircuitBreaker))
    page = press(press(page.run(), "3"), "4")
    assert "Nothing left to label" in text(page)
    page = press(page, "undo")
    assert len(store.feedback_of(first.id) + store.feedback_of(last.id)) == 1 and open_buttons(page)


@pytest.mark.parametrize("ended_by", ["request_rerun", "request_stop"])
def test_a_label_whose_run_of_the_page_is_ended_can_be_undone(open_page, add, store, monkeypatch, ended_by):
    def end_after(method):
        original, calls = getattr(Store, method), []

        def called(*args, **options):
            done = original(*args, **options)
            if not calls:
                calls.append(args)
                end_this_run(ended_by)
            return done

        monkeypatch.setattr(Store, method, called)

    labelled = add(visitor="somebody")
    other = add(visitor="somebody", minutes=-1)
    page = open_page(PAGE_FILE, Role.LABELLER)
    end_after("label")
    page = press(page, "6").run()
    assert [each.mood for each in store.feedback_of(labelled.id)] == ["sad"]
    assert page.session_state["corrections"].drawn == other.id
    end_after("undo_label")
    page = press(page, "undo").run()
    assert not store.feedback_of(labelled.id) and not page.warning
    assert page.session_state["corrections"].drawn == labelled.id
    assert not page.exception
