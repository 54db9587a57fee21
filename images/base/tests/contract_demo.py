"""A service small enough to test the contract with; also run as a process of its own."""

from __future__ import annotations

import asyncio
import threading

from heal7_contract import Context, Problem, Service, StoredAction, StrictModel


class Ask(StrictModel):
    number: int
    mode: str = "plain"


class Told(StrictModel):
    doubled: int
    call: int


class Gate:
    """Lets a test hold an action open. `entered` and `release` work from any thread."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.release = threading.Event()


class Demo:
    """A service with what it did, so that tests can count effects."""

    def __init__(self, *, stoppable: bool = False, **options: object) -> None:
        self.stoppable = stoppable
        self.calls: list[int] = []
        self.undone: list[tuple[StoredAction, str]] = []
        self.gate = Gate()
        self.undo_fails = False
        self.halted: set[str] = set()
        self.service = Service("demo-service", "1.2.3", 18099, **options)  # type: ignore[arg-type]
        _declare_actions(self)
        _declare_undos(self)
        _declare_routes(self.service)


def _declare_actions(demo: Demo) -> None:
    @demo.service.action("double", request=Ask, result=Told, errors={418: "on request"})
    async def double(body: Ask, ctx: Context) -> Told:
        demo.calls.append(body.number)
        if body.mode == "hold":
            demo.gate.entered.set()
            while not _let_go(demo, ctx.action_id):  # noqa: ASYNC110 - set by a thread
                await asyncio.sleep(0.005)
        return _answer(demo.calls, body, ctx)

    @demo.service.action("double-in-thread", request=Ask, result=Told)
    def threaded(body: Ask, ctx: Context) -> Told:
        demo.calls.append(body.number)
        if body.mode == "hold":
            demo.gate.entered.set()
            demo.gate.release.wait()
        ctx.store.put("notes", ctx.action_id, {"number": body.number})
        return _answer(demo.calls, body, ctx)


def _let_go(demo: Demo, action_id: str) -> bool:
    return demo.gate.release.is_set() or action_id in demo.halted


def _declare_undos(demo: Demo) -> None:
    service = demo.service

    @service.actions["double"].compensate
    def undo(record: StoredAction, reason: str) -> None:
        if demo.undo_fails:
            raise RuntimeError("the undo cannot reach its target")
        demo.undone.append((record, reason))

    if demo.stoppable:
        service.actions["double"].interrupt(demo.halted.add)

    @service.actions["double-in-thread"].compensate
    async def undo_threaded(record: StoredAction, reason: str) -> None:
        await service.offload(service.store.delete, "notes", record.id)
        demo.undone.append((record, reason))


def _declare_routes(service: Service) -> None:
    @service.get("/notes/{ident}", errors={404: "no such note"})
    def note(ident: str) -> dict[str, int]:
        found = service.store.get("notes", ident)
        if found is None:
            raise Problem(404, code="no_note", title="No", detail="No note.", remedy="Write.")
        return found

    @service.delete("/notes/{ident}", errors={404: "no such note"}, status_code=204)
    def remove(ident: str) -> None:
        service.store.delete("notes", ident)

    @service.post("/echo")
    async def echo(body: dict[str, int]) -> dict[str, int]:
        return body


def _answer(calls: list[int], body: Ask, ctx: Context) -> Told:
    if body.mode == "refuse":
        raise Problem(
            418, code="teapot", title="Teapot", detail=f"Run {ctx.run}.", remedy="Ask for tea."
        )
    if body.mode == "crash":
        raise RuntimeError("a secret value 12345 in the message")
    return Told(doubled=2 * body.number, call=len(calls))


if __name__ == "__main__":
    Demo().service.run()
