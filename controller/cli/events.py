"""`events`: what happens, as it happens, and nothing missed when the connection breaks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller import clock
from controller.cli import words
from controller.cli.errors import HubUnreachable, ProblemAnswer
from controller.cli.session import HubOption, JsonOption, LangOption, open_session
from controller.cli.sse import Event, parse

if TYPE_CHECKING:
    from controller.cli.client import HubClient

commands = typer.Typer()

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0


@commands.command()
def events(
    ctx: typer.Context,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="Leave after this many events.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="ID", help="Begin after the event of this id.")
    ] = None,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Follow what happens until interrupted; with --json one JSON document a line, all of them."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)

    def notice(sentence: str) -> None:
        session.errors.print(f"heal7: {sentence}", style="yellow", soft_wrap=True)

    shown, last = 0, dict[str, str]()
    for event in follow(session.client, notice, since=since):
        data = _data(event)
        if session.as_json:
            session.line({"id": event.id, "event": event.kind, "data": data})
        else:
            subject, story = human(event.kind, data)
            # A service's figures change all the time; people are told when its story does.
            if last.get(subject) == story:
                continue
            last[subject] = story
            now = clock.now().astimezone()
            session.console.print(f"{now:%H:%M:%S}  {subject}  {story}".rstrip(), soft_wrap=True)
        shown += 1
        if shown == limit:
            return


def follow(
    client: HubClient,
    notice: Callable[[str], None],
    *,
    path: str = "/events",
    since: str | None = None,
    pause: Callable[[float], None] = time.sleep,
    connected: Callable[[], None] = lambda: None,
) -> Iterator[Event]:
    """Events of the stream at `path` for ever, each resumed connection beginning after the last
    event seen.

    `connected` is called for every connection. Raises HubUnreachable when the hub was never
    reached, ProblemAnswer when it refuses; a hub that was there and goes away is waited for,
    `notice` says so once.
    """
    last_id, reached, told, wait_s = since, False, False, FIRST_PAUSE_S
    while True:
        try:
            lines = client.stream(path, last_id)
            connected()
            if told:
                notice("Connected again.")
            reached, told, wait_s = True, False, FIRST_PAUSE_S
            for event in parse(lines):
                last_id = event.id or last_id
                if event.retry_ms is not None:
                    wait_s = event.retry_ms / 1000
                yield event
        except HubUnreachable as gone:
            if not reached:
                raise
            if not told:
                notice(f"{gone} Waiting for it to come back.")
                told = True
        except ProblemAnswer as refused:
            # A hub that is only just coming back answers 503 for a moment.
            if not reached or refused.status < 500:
                raise
        pause(wait_s)
        wait_s = min(max(wait_s, FIRST_PAUSE_S) * 2, LONGEST_PAUSE_S)


def human(kind: str, data: Any) -> tuple[str, str]:
    """Of whom an event tells, aligned, and what it tells, for a person. Pure."""
    facts = data if isinstance(data, dict) else {"data": data}
    nested = facts.get("service")
    about = nested if isinstance(nested, dict) else facts
    # An incident or a rehearsal is known by its service; its id stands at the end.
    who = nested if isinstance(nested, str) else about.get("name") or about.get("id") or ""
    return f"{kind:<9}  {who!s:<24}", words.printable(_story(kind, about))


def _story(kind: str, facts: dict[str, Any]) -> str:
    if kind == "service":
        reason = facts.get("reason")
        return f"{facts.get('health', '')}: {reason}" if reason else str(facts.get("health", ""))
    if kind == "operation":
        targets = ", ".join(str(target) for target in facts.get("targets") or [])
        return f"{facts.get('kind', '')} {facts.get('status', '')}: {targets}"
    if kind == "engine":
        return "connected" if facts.get("connected") else "cannot be reached"
    if kind == "incident":
        state = facts.get("outcome") or facts.get("state", "")
        return f"{facts.get('kind', '')} {state}: {facts.get('cause', '')} ({facts.get('id')})"
    if kind == "alert":
        said = f"{facts.get('severity', '')} {facts.get('state', '')}: {facts.get('title', '')}"
        return f"{said} ({facts.get('id')})"
    if kind == "rehearsal":
        said = f"{facts.get('fault', '')} {facts.get('stage', '')}: {facts.get('verdict', '')}"
        return f"{said} ({facts.get('id')})"
    if kind == "run":
        said = f"{facts.get('workflow', '')} {facts.get('status', '')}"
        return f"{said}: {facts['reason']}" if facts.get("reason") else said
    if kind == "hub":
        return f"paused by {facts.get('by')}" if facts.get("paused") else "not paused, it heals"
    told = {key: value for key, value in facts.items() if key not in ("name", "id")}
    return " ".join(f"{key}={_short(value)}" for key, value in told.items() if value is not None)


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _data(event: Event) -> Any:
    try:
        return json.loads(event.data)
    except ValueError:
        return event.data
