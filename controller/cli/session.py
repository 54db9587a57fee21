"""What every command shares: which hub, which language, and how answers are printed.

One place decides between JSON for scripts and text for people, so that no command can forget it.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.errors import CommandError, UsageFault

if TYPE_CHECKING:
    from rich.console import Console

    from controller.cli.client import HubClient

DEFAULT_HUB = "http://127.0.0.1:8015"
LANGUAGES = ("en", "ko")

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document instead of text.")
]
HubOption = Annotated[
    str | None,
    typer.Option("--hub", metavar="URL", help=f"The hub to ask [HEAL7_HUB; {DEFAULT_HUB}]."),
]
LangOption = Annotated[
    str | None,
    typer.Option("--lang", metavar="en|ko", help="Language of reasons and causes [LANG]."),
]


def confirm(question: str, nobody: str, *, yes: bool) -> None:
    """Ask on the terminal unless `yes`. Raises CommandError where the answer is no, UsageFault
    with the sentence `nobody` where there is no terminal."""
    if yes:
        return
    if not _somebody_there():
        raise UsageFault(nobody, remedy="Say --yes where that is meant.")
    if not typer.confirm(question, err=True):
        raise CommandError("Nothing has been done.")


def _somebody_there() -> bool:
    return sys.stdin.isatty()


@dataclass(frozen=True)
class Session:
    """One invocation's choices. `console` writes standard output, `errors` standard error."""

    hub_url: str
    as_json: bool
    language: str

    @cached_property
    def client(self) -> HubClient:
        from controller.cli.client import HubClient

        return HubClient(self.hub_url, self.language)

    @cached_property
    def console(self) -> Console:
        return _console(sys.stdout)

    @cached_property
    def errors(self) -> Console:
        return _console(sys.stderr)

    @property
    def utf8(self) -> bool:
        """Whether standard output can show more than ASCII."""
        return self.console.encoding.startswith("utf")

    def document(self, body: Any) -> None:
        """Print the one JSON document of this invocation."""
        print(json.dumps(body, ensure_ascii=False, indent=2))

    def line(self, body: Any) -> None:
        """Print one JSON document on one line, at once; for streams."""
        print(json.dumps(body, ensure_ascii=False, separators=(",", ":")), flush=True)


@dataclass(frozen=True)
class GlobalChoices:
    """The options given before the command's name."""

    hub: str | None = None
    as_json: bool = False
    language: str | None = None


def open_session(
    ctx: typer.Context, *, as_json: bool, hub: str | None = None, lang: str | None = None
) -> Session:
    """Merge the options of the command with those before it and with the environment."""
    before = choices(ctx)
    # Kept at the root, so that an error on the way is printed in the form that was asked for.
    ctx.find_root().obj = replace(before, as_json=as_json or before.as_json)
    return Session(
        hub_url=hub or before.hub or os.environ.get("HEAL7_HUB") or DEFAULT_HUB,
        as_json=as_json or before.as_json,
        language=_language(lang or before.language),
    )


def choices(ctx: typer.Context) -> GlobalChoices:
    """The options given before the command's name; defaults where there were none."""
    kept = ctx.find_root().obj
    return kept if isinstance(kept, GlobalChoices) else GlobalChoices()


def _language(chosen: str | None) -> str:
    """`en` or `ko`; LC_ALL before LC_MESSAGES before LANG, as every Unix program has it."""
    if chosen is not None:
        if chosen not in LANGUAGES:
            raise typer.BadParameter(f"{chosen!r} is not one of {', '.join(LANGUAGES)}")
        return chosen
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "")
        if value:
            return "ko" if value.lower().startswith("ko") else "en"
    return "en"


def _console(stream: Any) -> Console:
    from rich.console import Console

    # `highlight` would colour numbers and addresses at random; only meaning gets a colour here.
    return Console(file=stream, highlight=False, markup=False, emoji=False)
