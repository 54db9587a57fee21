"""`heal7 logs`: pages put together, oldest first, and nothing of a log acts on the terminal."""

from __future__ import annotations

import json

from tests.unit.cli.fakes import Answer, FakeHub, Heal7


def entry(number: int, text: str = "", **more: object) -> dict[str, object]:
    return {
        "id": f"{number}-{number}",
        "at": "2026-11-25T03:12:04.118Z",
        "service": "saju-service",
        "container_id": "c",
        "stream": "stdout",
        "level": "error",
        "text": text or f"line {number}",
        "run": None,
        "step": None,
        **more,
    }


def page(*entries: dict[str, object], **more: object) -> Answer:
    body = {"entries": list(entries), "next": None, "complete": True, "problems": {}, **more}
    return Answer(body=body)


def sse(*parts: str) -> Answer:
    return Answer(stream="".join(parts).encode(), content_type="text/event-stream")


def test_pages_are_put_together_oldest_first(fake_hub: FakeHub, heal7: Heal7) -> None:
    newer = [entry(n) for n in range(1_500, 500, -1)]
    older = [entry(n) for n in range(500, 300, -1)]
    asked = "GET /logs?q=%22a+b%22+-c&level=error&limit="
    fake_hub.on(f"{asked}1000", page(*newer, next="501-501"))
    fake_hub.on(f"{asked}200&cursor=501-501", page(*older, next="301-301"))
    said = heal7("logs", "-n", "1200", "--level", "error", "-g", '"a b" -c')
    lines = said.stdout.splitlines()
    assert said.returncode == 0, said.stderr
    assert len(lines) == 1_200
    assert lines[0].endswith("ERROR   line 301")
    assert lines[-1].endswith("line 1500")
    assert "There are older ones" in said.stderr


def test_hostile_text_cannot_act_on_the_terminal(fake_hub: FakeHub, heal7: Heal7) -> None:
    hostile = entry(1, "\x1b[2J\x07gone\nTraceback\n\tat x", service="s\x1b[31m")
    fake_hub.on("GET /logs?limit=100", page(hostile))
    said = heal7("logs")
    assert "\x1b" not in said.stdout
    assert "\x07" not in said.stdout
    assert [line.strip() for line in said.stdout.splitlines()][1:] == ["Traceback", "at x"]


def test_what_is_missing_is_said(fake_hub: FakeHub, heal7: Heal7) -> None:
    problems = {"db": "Use a logging driver that can be read"}
    dropped = "2026-11-20T00:00:00.000Z"
    fake_hub.on("GET /logs?limit=100", page(entry(1), problems=problems, dropped_until=dropped))
    said = heal7("logs")
    assert "db: nothing is read of it" in said.stderr
    assert "has been dropped" in said.stderr


def test_following_shows_what_comes_and_what_was_skipped(fake_hub: FakeHub, heal7: Heal7) -> None:
    told = [f"id: {n}-{n}\nevent: log\ndata: {json.dumps(entry(n, '한글'))}\n\n" for n in range(2)]
    lost = 'event: lost\ndata: {"entries":7}\n\n'
    gone = Answer({"title": "No such service"}, 404, "application/problem+json")
    asked = "GET /logs/stream?service=saju-service&tail=5"
    fake_hub.on(asked, sse(told[0], lost, told[1]), gone)
    said = heal7("logs", "saju-service", "-f", "-n", "5", "--json")
    assert [json.loads(line)["text"] for line in said.stdout.splitlines()[:2]] == ["한글", "한글"]
    assert "7 entries were skipped" in said.stderr
    assert fake_hub.headers[1]["Last-Event-ID"] == "1-1"


def test_an_end_of_what_is_followed_is_refused(heal7: Heal7) -> None:
    said = heal7("logs", "-f", "--until", "1h")
    assert said.returncode == 2
    assert "has no end" in said.stderr
