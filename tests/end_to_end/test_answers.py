"""An answer is stored for the vibe check it was given for, even if the page has moved on."""

from streamlit.proto.WidgetStates_pb2 import WidgetState

from benchmarks.harness.page_client import Visitor
from tests.databases import open_store
from tests.end_to_end.conftest import check_vibe
from vibecheck.settings import Settings


def test_late_answer_is_never_stored_for_the_next_vibe_check(run_app):
    app = run_app()
    app.ready()
    with Visitor(app.url) as tab:
        first = check_vibe(tab)
        widget = tab.find("answer-")
        late = WidgetState(id=widget.id)
        late.string_array_value.data.append(
            f"{widget.options[0].content_icon} {widget.options[0].content}".strip()
        )
        second = check_vibe(tab)
        tab.rerun(also=[late])
        tab.rerun()
    store = open_store(Settings(data=app.data, model="embedded"))
    assert store.feedback_of(second) == []
    assert [each.label for each in store.feedback_of(first)] == ["happy"]
    store.close()
