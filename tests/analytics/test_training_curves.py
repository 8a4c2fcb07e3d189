import altair
import pytest

from vibecheck.analytics import training_curves as curves


@pytest.mark.parametrize(
    ("drawn", "points"),
    [
        (curves.loss_curve(), curves.loss_points([(0.1, 2.0), (0.2, 1.5)])),
        (curves.accuracy_curve(), curves.accuracy_points([("head", 0.5, 0.4), ("all", 0.6, None)])),
    ],
)
def test_curves_reference_only_columns_of_their_points(drawn, points):
    assert "'data'" not in str(drawn)  # also of a layer: it would hide the points
    fields = {drawn["encoding"]["x"]["field"]}
    for layer in drawn["layer"]:
        fields |= {each["field"] for each in layer["encoding"].values() if isinstance(each, dict)}
    assert fields and fields <= set(points.columns)
    altair.Chart.from_dict(drawn | {"data": {"values": points.to_dict("records")}})  # which checks it


def test_epochs_are_counted_over_the_stages():
    points = curves.accuracy_points([("head", 0.5, 0.4), ("head", 0.6, 0.5), ("all", 0.7, None)])
    assert list(points.epoch) == [1, 2, 3] and points.balanced.isna().tolist() == [False, False, True]


def test_empty_input_gives_no_points():
    assert len(curves.loss_points([])) == 0 and len(curves.accuracy_points([])) == 0
