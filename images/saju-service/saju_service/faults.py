"""Every way an input can be refused, each with its code, so that the rules below need no HTTP."""

from __future__ import annotations

from heal7_contract import Problem


def _invalid(code: str, title: str, detail: str, remedy: str) -> Problem:
    return Problem(422, code=code, title=title, detail=detail, remedy=remedy)


def invalid_date(text: str) -> Problem:
    """Not a day, or not a time, that the calendar and the clock have."""
    return _invalid(
        "invalid_date",
        "No such date or time",
        f"{text} does not exist in the Gregorian calendar.",
        "Give an existing date as YYYY-MM-DD and a time from 00:00 to 23:59.",
    )


def invalid_lunar_date(text: str, leap_month: bool) -> Problem:
    """A month too long, a leap month the year does not have, or beyond the tables."""
    month = "leap month" if leap_month else "month"
    return _invalid(
        "invalid_lunar_date",
        "No such lunar date",
        f"The Korean lunar calendar has no {text} ({month}).",
        "Check leap_month and the length of the month; the last date known is 2050-11-18.",
    )


def nonexistent_local_time(text: str, timezone: str) -> Problem:
    """A local time that the clocks skipped."""
    return _invalid(
        "nonexistent_local_time",
        "The clocks skipped this time",
        f"{text} never was in {timezone}: the clocks were set forward over it.",
        "Ask for the time that the clocks showed, usually half an hour or an hour later.",
    )


def out_of_range(text: str, first: str, last: str) -> Problem:
    """Outside what the tables cover."""
    return _invalid(
        "out_of_range",
        "Outside the supported range",
        f"{text} lies outside {first} to {last}.",
        f"Ask for {first} to {last}.",
    )


def unknown_timezone(name: str) -> Problem:
    """Not a name of the IANA time zone database."""
    return _invalid(
        "unknown_timezone",
        "No such time zone",
        f"{name!r} is not a name of the IANA time zone database.",
        "Use a name such as Asia/Seoul.",
    )


def missing_longitude(timezone: str) -> Problem:
    """Only Seoul's longitude can be assumed, and only for Korean time."""
    return _invalid(
        "missing_longitude",
        "The longitude is needed",
        f"For {timezone} no longitude can be assumed, and solar time depends on it.",
        "Give longitude in degrees, east positive, or time_basis clock.",
    )
