"""Incidents and rehearsals without a browser: what their pages conclude, and what they survive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from controller import clock
from controller.dashboard import incidents, preferences, present, progress, story
from controller.dashboard.marks import marks
from controller.errors import StoreError
from controller.i18n import LANGUAGES, catalogue
from controller.model.incident import Act, Ending, Entry, Incident, Kind
from controller.model.observation import State
from controller.model.recovery import Pause
from controller.model.rehearsal import FINAL, Fault, Stage
from controller.model.text import Text
from controller.model.view import OperationKind
from tests.e2e.pages_support import FakeHub, app
from tests.e2e.pages_support_healing import crash

NAME = "saju-service"


class Unreadable(FakeHub):
    """A hub whose disk is full: only what it knows by heart is left."""

    async def incidents(
        self, service: str | None, is_open: bool | None, limit: int
    ) -> Sequence[Incident]:
        raise StoreError("disk I/O error")

    async def incident(self, incident_id: str) -> Incident:
        raise StoreError("disk I/O error")


@pytest.fixture
def hub() -> FakeHub:
    hub = FakeHub()
    hub.night(hub.now)
    return hub


@pytest.fixture
def client(hub: FakeHub) -> Iterator[TestClient]:
    with TestClient(app(hub), base_url="http://localhost:8015") as client:
        yield client


def told(hub: FakeHub, incident: Incident, paused: bool = False, **facts: object) -> story.Story:
    hub.change(incident.service, **facts)
    rows = present.stack(hub.view(), (), "en", hub.now).rows
    row = next(row for row in rows if row.name == incident.service)
    return story.story(incident, row, paused, "en", hub.now)


def ended(hub: FakeHub, kind: Kind, outcome: Ending | None, cause: str = "demo.gone") -> Incident:
    whole = crash("inc", NAME, timedelta(minutes=5), hub.now)
    closed = None if outcome is None else whole.closed_at
    return replace(whole, kind=kind, outcome=outcome, closed_at=closed, cause=Text(cause))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_ending_act_and_stage_has_its_words(language: str) -> None:
    keys = [f"ui.kind.{k}" for k in Kind] + [f"ui.incident.what.{k}" for k in Kind]
    keys += [f"ui.hint.mend_{k}" for k in Kind if k is not Kind.CONFIG_ERROR]
    keys += [f"ui.ending.{e}" for e in Ending] + [f"ui.act.{a}" for a in Act]
    keys += [f"ui.fault.{f}" for f in Fault] + [f"ui.fault.does.{f}" for f in Fault]
    keys += [f"ui.stage.{s}" for s in Stage] + [f"ui.busy.{k}" for k in OperationKind]
    keys += [f"ui.station.{s}" for s in Stage if s not in FINAL]
    assert [key for key in keys if not catalogue().get(key, {}).get(language)] == []


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("outcome", [*Ending, None])
def test_every_incident_says_what_to_do(hub: FakeHub, kind: Kind, outcome: Ending | None) -> None:
    for paused in (False, True):
        said = told(hub, ended(hub, kind, outcome), paused)
        assert said.hints
        assert not any(hint.startswith("ui.") for hint in said.hints)


@pytest.mark.parametrize(
    ("cause", "mend"),
    [
        ("fail.image_missing", "Build the missing image"),
        ("fail.image_never", "Build the missing image"),
        ("fail.pull", "See that this machine reaches the registry"),
        ("fail.pull_silent", "See that this machine reaches the registry"),
        ("fail.build", "Mend the Dockerfile"),
        ("fail.context", "Mend the Dockerfile"),
        ("fail.port_taken", "Free the port"),
        ("fail.command", "Correct its command"),
        ("fail.name_taken", "Remove or rename"),
        ("demo.foreign", "Correct what the cause above names"),
    ],
)
def test_a_configuration_error_names_its_remedy(hub: FakeHub, cause: str, mend: str) -> None:
    names = ("image", "port", "detail", "name", "words", "seconds", "step", "why", "remedy")
    facts = dict.fromkeys(names, "x")
    inner = Text(cause, dict(facts))
    for said in (inner, Text("demo.foreign", {"words": inner})):
        broken = replace(ended(hub, Kind.CONFIG_ERROR, None), cause=said)
        hints = told(hub, broken, state=State.EXITED).hints
        assert hints[0].startswith(mend)
        assert hints[1] == "Then press Start."


def test_the_button_that_is_named_is_the_one_that_is_there(hub: FakeHub) -> None:
    gave_up = ended(hub, Kind.HANG, Ending.GAVE_UP)
    assert told(hub, gave_up, state=State.RUNNING).hints[-1] == "Then press Restart."
    assert told(hub, gave_up, state=State.EXITED).hints[-1] == "Then press Start."
    assert story.story(gave_up, None, False, "en", hub.now).hints[-1] == "Then press Start."


def test_the_timeline_is_in_order_and_counts_from_the_first_sign(hub: FakeHub) -> None:
    at = hub.now - timedelta(minutes=5)
    late = Entry(at + timedelta(seconds=9), Act.OPERATOR, Text("demo.wanted"))
    early = Entry(at, Act.HOLD, Text("demo.wanted"))
    whole = ended(hub, Kind.CRASH, None)
    titles = [m.title for m in told(hub, replace(whole, timeline=(late, early))).timeline]
    assert titles == ["First bad sign", "Held back", "Detected", "A person acted", "Not over yet"]
    offsets = [m.offset for m in told(hub, whole).timeline]
    assert offsets == ["", "+140 ms", "+180 ms", ""]
    at_once = replace(whole, detected_at=whole.opened_at)
    assert told(hub, at_once).timeline[0].title == "Noticed at once"
    assert told(hub, at_once).line.detected == "at once"


def test_recovered_in_is_only_said_of_what_recovered(hub: FakeHub) -> None:
    for outcome in (None, *Ending):
        line = incidents.line(ended(hub, Kind.CRASH, outcome), "en", hub.now)
        assert (line.recovered != "–") == (outcome is Ending.RECOVERED)


def test_what_the_hub_did_is_counted(hub: FakeHub) -> None:
    twice = crash("inc", NAME, timedelta(minutes=5), hub.now, tries=2)
    assert told(hub, twice).done == ("Restarted it 2 times.", "One of these tries failed.")
    failed = replace(twice, timeline=(replace(twice.timeline[0], act=Act.REPLACE),))
    assert told(hub, failed).done == ("Replaced its container once.", "The try failed.")
    held = replace(twice, timeline=(Entry(hub.now, Act.BLOCK, Text("demo.wanted")),))
    assert told(hub, held).done[0] == "It did not touch the container."
    assert [m.cause for m in told(hub, held).held] == ["An operator asked for it."]


@pytest.mark.parametrize(
    ("code", "oom", "says"),
    [
        (0, False, "ended by itself without an error"),
        (1, False, "ended by itself with an error"),
        (127, False, "its command could not be run"),
        (137, True, "killed for using more memory than allowed"),
        (137, False, "ended by SIGKILL"),
        (143, True, "ended by SIGTERM"),
        (255, False, "ended by 127"),
        (-1, False, "ended by itself with an error"),
    ],
)
def test_an_exit_code_is_translated(code: int, oom: bool, says: str) -> None:
    assert story.exit_meaning(code, oom, "en") == says


def test_open_ones_are_listed_once_and_first(hub: FakeHub) -> None:
    found = list(hub.told.values())
    lines = incidents.lines(found, hub.open_incidents(), "en", hub.now)
    assert [line.id for line in lines[:3]] == ["inc-3", "inc-2", "inc-1"]
    assert len(lines) == len(found)


def test_an_old_open_incident_is_never_cut_off(hub: FakeHub, client: TestClient) -> None:
    hub.forget()
    hub.tell(replace(crash("old", NAME, timedelta(days=30), hub.now), closed_at=None))
    hub.tell(*(crash(f"n{n}", NAME, timedelta(minutes=n + 1), hub.now) for n in range(120)))
    page = client.get("/dashboard/incidents").text
    assert page.index('id="incident-old"') < page.index('id="incident-n0"')
    assert 'id="incident-n99"' in page
    assert 'id="incident-n100"' not in page
    assert "are shown" in page
    assert 'id="incident-old"' not in client.get("/dashboard/incidents?state=closed").text


@pytest.mark.parametrize(
    "query",
    [
        "state=nonsense",
        "state=open&state=closed",
        "service=%00",
        "service=" + "x" * 3000,
        "a&=&b=%ff",
    ],
)
def test_no_filter_breaks_the_list(client: TestClient, query: str) -> None:
    for path in ("/dashboard/incidents", "/dashboard/fragments/incidents"):
        assert client.get(f"{path}?{query}").status_code == 200


def test_an_unknown_incident_is_a_page(client: TestClient) -> None:
    for name in ("nope", "a/b", "%2e%2e", "<b>x</b>", "%00", ""):
        answer = client.get(f"/dashboard/incidents/{name}")
        assert answer.status_code == 404
        assert "This incident is not known" in answer.text
        assert "<b>x" not in answer.text
    assert client.get("/dashboard/fragments/incidents/nope").status_code == 200
    assert client.get("/dashboard/fragments/rehearsals/nope").status_code == 404


def test_a_store_that_cannot_be_read_hides_nothing_that_is_open() -> None:
    hub = Unreadable()
    hub.night(hub.now)
    with TestClient(app(hub), base_url="http://localhost:8015") as client:
        assert "Being healed" in client.get("/dashboard").text
        page = client.get("/dashboard/incidents").text
        assert 'id="incident-inc-3"' in page
        assert 'id="incident-inc-4"' not in page
        assert "The record of incidents cannot be read" in page
        assert 'id="incident-inc-3"' in client.get(f"/dashboard/incidents?service={NAME}").text
        closed = client.get("/dashboard/incidents?state=closed").text
        assert "No recorded incident matches" not in closed
        assert client.get("/dashboard/incidents/inc-3").status_code == 200
        gone = client.get("/dashboard/incidents/inc-4")
        assert gone.status_code == 503
        assert "cannot be read" in gone.text


def test_the_pages_come_back_to_where_the_reader_was() -> None:
    for back in (
        "/dashboard/incidents",
        "/dashboard/incidents/inc_0190a_ff",
        "/dashboard/incidents?service=saju-service&state=open",
        "/dashboard/incidents?service=a%2Bb",
    ):
        body = f"lang=ko&back={back.replace('%', '%25').replace('&', '%26')}".encode()
        assert preferences.chosen(body)[1] == back
    for back in (
        "/dashboard/incidents//evil.example",
        "/dashboard/incidents?a=b%0d%0aSet-Cookie",
        "/dashboard/incidents/a/../../x",
        "//evil.example/dashboard/incidents",
    ):
        assert preferences.chosen(f"back={back}".encode())[1] == "/dashboard"


def test_a_pause_says_since_when_and_by_whom(hub: FakeHub) -> None:
    pause = Pause(hub.now - timedelta(minutes=12), "10.0.0.7 curl/8.1")
    shown = incidents.paused(pause, "en", hub.now)
    assert shown is not None
    assert (shown.since_text, shown.by) == ("12 min ago", "curl (10.0.0.7)")
    assert incidents.pause_action(True, "en").verb == "resume"
    assert incidents.pause_action(False, "en").takes_down


@pytest.mark.parametrize(
    ("facts", "tones"),
    [
        ({"stage": Stage.INJECTING}, "busy idle idle idle"),
        ({"stage": Stage.HEALING, "injected_at": clock.now(), "detected_ms": 9}, "ok ok busy idle"),
        ({"stage": Stage.ABORTED}, "warn idle idle idle"),
        ({"stage": Stage.FAILED, "injected_at": clock.now()}, "ok bad idle idle"),
        (
            {"stage": Stage.FAILED, "injected_at": clock.now(), "detected_ms": 9, "healed_ms": 99},
            "ok ok ok bad",
        ),
        ({"stage": Stage.PASSED, "injected_at": clock.now()}, "ok ok ok ok"),
    ],
)
def test_a_rehearsal_shows_how_far_it_came(
    hub: FakeHub, facts: dict[str, object], tones: str
) -> None:
    begun = hub.drill("drill-1", NAME, Fault.HANG, Stage.INJECTING, hub.now)
    shown = progress.rehearsal(replace(begun, **facts), "en", hub.now)  # type: ignore[arg-type]
    assert " ".join(mark.tone for mark in shown.stages) == tones
    assert shown.running == (facts["stage"] not in FINAL)


def test_healing_is_named_among_the_operations(hub: FakeHub) -> None:
    hub.begin("start", [NAME])
    healing = replace(hub.asked[0], kind=OperationKind.HEAL)
    assert progress.operation(healing, 5, "en", hub.now).title == f"Heal {NAME}"
    hub.asked[0] = healing
    assert marks(hub.view(), hub.asked, "en")[NAME].word == "Being healed"
