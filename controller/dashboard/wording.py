"""Numbers and moments in a person's language: short, rounded, the same on every page."""

from __future__ import annotations

from datetime import datetime

from controller.i18n import catalogue, word

NOTHING = "–"
JUST_NOW_S = 5


def duration(seconds: float, language: str) -> str:
    """`3 h 12 min`, two units at most; under a minute whole seconds."""
    whole = max(0, int(seconds))
    if whole < 60:
        return word("ui.unit.s", language, n=whole)
    if whole < 3600:
        return word("ui.unit.min", language, n=whole // 60)
    if whole < 86400:
        return _pair(("h", whole // 3600), ("min", whole % 3600 // 60), language)
    return _pair(("d", whole // 86400), ("h", whole % 86400 // 3600), language)


def _pair(large: tuple[str, int], small: tuple[str, int], language: str) -> str:
    parts = [large, small] if small[1] else [large]
    return " ".join(word(f"ui.unit.{unit}", language, n=n) for unit, n in parts)


def ago(moment: datetime, now: datetime, language: str) -> str:
    """`5 min ago`; the first seconds are `just now`, so that the text does not flicker."""
    seconds = (now - moment).total_seconds()
    if seconds < JUST_NOW_S:
        return word("ui.just_now", language)
    return word("ui.ago", language, duration=duration(seconds, language))


def took(milliseconds: float | None, language: str) -> str:
    """`4 ms`, `1.2 s`, `2 min`."""
    if milliseconds is None:
        return NOTHING
    if milliseconds < 999.5:
        # A tenth matters below ten, and "0 ms" would look like "not measured".
        return f"{milliseconds:.1f} ms" if milliseconds < 9.95 else f"{milliseconds:.0f} ms"
    if milliseconds < 60_000:
        return word("ui.unit.s", language, n=f"{milliseconds / 1000:.1f}")
    return duration(milliseconds / 1000, language)


def size(number: int | None) -> str:
    """`48 MB` (binary units under their everyday names, as Docker prints them)."""
    if number is None:
        return NOTHING
    amount, unit = float(number), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"


def percent(number: float | None) -> str:
    """`1.2 %`."""
    return NOTHING if number is None else f"{number:.1f} %"


def stamp(moment: datetime) -> str:
    """UTC for a tooltip; the browser turns it into the reader's own time zone."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def clock_time(moment: datetime) -> str:
    """A moment of a day already named, in UTC; the browser turns it into the reader's own."""
    return moment.strftime("%H:%M:%S UTC")


def word_or(key: str, fallback: str, language: str) -> str:
    """The catalogue's word, or the raw one where the core is newer than the catalogue."""
    return word(key, language) if key in catalogue() else fallback


def who(requested_by: str, language: str) -> str:
    """`browser`, `curl`, `heal7`: the kind of client, and its address where it is not this machine.

    The hub notes an address and an agent (`127.0.0.1 Mozilla/5.0`); anything else stays as it is.
    """
    address, _, agent = requested_by.partition(" ")
    if "/" not in agent:
        return requested_by
    client = agent.split("/")[0]
    name = word("ui.client.browser", language) if client == "Mozilla" else client
    return name if address in ("127.0.0.1", "::1", "local") else f"{name} ({address})"
