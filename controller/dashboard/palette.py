"""What the palette offers for the words that were typed: the hub answers, so that names, states
and confirmations are the same as on every page.

Pure. Everything that can be reached is an option; the words must all be in it, and where they begin
a word of its title it comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from controller.dashboard.incidents import Line
from controller.dashboard.marks import Tone
from controller.dashboard.present import Action, Row
from controller.i18n import LANGUAGES, word

MOST = 40
_PER_KIND_AT_FIRST = 6
_KINDS = ("page", "service", "action", "workflow", "incident", "preference")


@dataclass(frozen=True, slots=True)
class Option:
    """One line. It leads to `href` with the name `leaf` after it, or asks for `action` on `service`
    (the whole stack where that is empty), or sets the preference `sets` to `value`."""

    kind: str
    id: str
    title: str
    hint: str = ""
    icon: str = "arrow"
    tone: Tone = Tone.IDLE
    href: str = ""
    leaf: str = ""
    action: Action | None = None
    service: str = ""
    sets: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Options of a kind under their heading."""

    kind: str
    title: str
    options: tuple[Option, ...]


def offers(
    typed: str,
    *,
    pages: Sequence[tuple[str, str]],
    rows: Sequence[Row],
    whole: Sequence[Action],
    workflows: Sequence[str],
    incidents: Sequence[Line],
    language: str,
) -> tuple[Group, ...]:
    """Groups in a fixed order; those without an option are left out."""
    words = typed.casefold().split()
    everything = [
        *_pages(pages, language),
        *_services(rows),
        *_actions(rows, whole, language),
        *_workflows(workflows),
        *_incidents(incidents),
        *_preferences(language),
    ]
    found = [option for option in everything if _fits(option, words)]
    if words:
        found.sort(key=lambda option: _rank(option, words))
    shown = found[:MOST] if words else _some_of_each(found)
    best = dict.fromkeys(option.kind for option in shown)
    return tuple(
        Group(kind, word(f"ui.palette.{kind}", language), own)
        for kind in best
        if (own := tuple(option for option in shown if option.kind == kind))
    )


def _some_of_each(found: Sequence[Option]) -> list[Option]:
    """Before anything is typed: what there is, and not all of one kind."""
    return [
        option
        for kind in _KINDS
        for option in [o for o in found if o.kind == kind][:_PER_KIND_AT_FIRST]
    ]


def _fits(option: Option, words: Sequence[str]) -> bool:
    text = f"{option.title} {option.hint}".casefold()
    return all(word in text for word in words)


def _rank(option: Option, words: Sequence[str]) -> tuple[int, int, int]:
    """Better ones are smaller: the title begins so, a word of it does, it holds it, the hint does.
    What only leads somewhere comes before what acts."""
    title = option.title.casefold()
    parts = title.replace("-", " ").replace("_", " ").split()

    def place(typed: str) -> int:
        if title.startswith(typed):
            return 0
        if any(part.startswith(typed) for part in parts):
            return 1
        return 2 if typed in title else 3

    return sum(place(typed) for typed in words), _KINDS.index(option.kind), len(title)


def _pages(pages: Sequence[tuple[str, str]], language: str) -> Iterable[Option]:
    for name, href in pages:
        yield Option("page", f"page-{name}", word(f"ui.nav.{name}", language), href=href)


def _services(rows: Sequence[Row]) -> Iterable[Option]:
    """Those that need a person first."""
    for row in sorted(rows, key=lambda row: not row.attention):
        yield Option(
            "service", f"service-{row.name}", row.name, row.word, row.icon, row.tone,
            "/dashboard/services/", row.name,
        )  # fmt: skip


def _actions(rows: Sequence[Row], whole: Sequence[Action], language: str) -> Iterable[Option]:
    for action in whole:
        yield Option("action", f"do-{action.verb}", action.label, icon=action.verb, action=action)
    for row in sorted(rows, key=lambda row: not row.attention):
        for action in (*row.actions, *([row.rehearse] if row.rehearse else [])):
            if not action.busy:
                title = word("ui.action.of", language, verb=action.label, service=row.name)
                yield Option(
                    "action",
                    f"do-{action.verb}-{row.name}",
                    title,
                    row.word,
                    action.verb,
                    action=action,
                    service=row.name,
                )


def _workflows(names: Sequence[str]) -> Iterable[Option]:
    for name in names:
        where = "/dashboard/workflows/"
        yield Option("workflow", f"workflow-{name}", name, icon="flow", href=where, leaf=name)


def _incidents(lines: Sequence[Line]) -> Iterable[Option]:
    for line in lines:
        hint = f"{line.badge.word} · {line.at_text}"
        yield Option(
            "incident", f"incident-{line.id}", line.what, hint, line.badge.icon, line.badge.tone,
            "/dashboard/incidents/", line.id,
        )  # fmt: skip


def _preferences(language: str) -> Iterable[Option]:
    for theme in ("light", "dark", "auto"):
        title = word(f"ui.palette.theme.{theme}", language)
        yield Option("preference", f"theme-{theme}", title, icon=theme, sets="theme", value=theme)
    for other in LANGUAGES:
        if other != language:
            title = word("ui.language.switch", language)
            hint = word("ui.language.other", language)
            yield Option("preference", f"lang-{other}", title, hint, sets="lang", value=other)
    yield Option("preference", "keys", word("ui.palette.keys", language), sets="keys")
