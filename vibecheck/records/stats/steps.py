"""Steps of time: days, weeks that end on a given day, and calendar months, in Python and in SQL."""

from datetime import date, timedelta

from sqlalchemy import ColumnElement, Date, Integer, cast, extract, func, literal

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


def step_number(dialect: str, day: ColumnElement, step: str, last: date) -> ColumnElement[int]:
    """A number of the step that a day before or on `last` lies in, in SQL."""
    if step == "month":
        return cast(extract("year", day) * 12 + extract("month", day), Integer)
    if dialect == "sqlite":
        ago = func.julianday(last.isoformat()) - func.julianday(day)
    else:
        ago = literal(last, Date) - day
    return cast(ago, Integer) // (7 if step == "week" else 1)
