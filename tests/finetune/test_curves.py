from finetune.curves import Curves


def test_every_event_goes_on_and_of_epochs_the_numbers_stay():
    told = []
    curves = Curves(told.append)
    events = [
        {"event": "started", "base": "embedded-2"},
        {"event": "epoch", "stage": "head", "epoch": 1, "of": 2, "loss": 1.5, "accuracy": 0.5, "minutes": 1},
        {"event": "step", "loss": 3.0},
        {"event": "epoch", "stage": "all", "epoch": 1, "of": 2, "loss": 1.0, "balanced_accuracy": None},
    ]
    for event in events:
        curves(event)
    assert told == events
    assert curves.epochs == [{"epoch": 1, "loss": 1.5, "accuracy": 0.5}, {"epoch": 2, "loss": 1.0}]
