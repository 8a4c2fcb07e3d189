"""Steps of time: days, weeks that end on a given day, and calendar months."""

from datetime import date, timedelta

STEPS = ("day", "week", "month")


def first_day(day: date, last: date, step: str) -> date:
    """The first day of the step that a day lies in; weeks end on the weekday of `last`."""
    match step:
        case "day":
            return day
        case "week":
            return day - timedelta(days=(day - last - timedelta(days=1)).days % 7)
        case "month":
            return day.replace(day=1)
    raise ValueError(f"a step must be one of {STEPS}, not {step!r}")


def next_step(start: date, step: str) -> date:
    """The first day of the step after the one that starts on a day."""
    if step == "month":
        return (start + timedelta(days=31)).replace(day=1)
    return start + timedelta(days=7 if step == "week" else 1)
