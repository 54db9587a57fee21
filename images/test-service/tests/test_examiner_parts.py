"""The parts of a contract test by themselves: what is spared, counted, selected, promised."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import requests
from examiner_target import Stranger, served

from examiner.contract.cleanup import Cleaner
from examiner.contract.findings import Removals
from examiner.contract.ledger import Ledger, ids_in, stand_in
from examiner.contract.plan import Plan
from examiner.contract.promises import Asker, is_ours, variant_of
from examiner.contract.tally import Failure, Tally
from examiner.contract.thinning import thinned
from examiner.reports import junit_of
from examiner.run_models import ContractReport
from examiner.runs import ending
from examiner.targets import targets_from_env

Json = dict[str, Any]
ACTION_ID = "act_0123456789abcdef0123456789abcdef"


def test_ids_are_found_at_any_depth() -> None:
    reply = {
        "id": "a",
        "count": 3,
        "items": [{"item_id": 4, "name": "n"}, {"process_ids": ["p", "q"]}],
        "identity": "no",
        "valid": True,
    }
    assert sorted(ids_in(reply)) == ["4", "a", "p", "q"]


def test_what_was_met_is_spared_and_what_was_made_is_not() -> None:
    ledger = Ledger(careful=False, protected=frozenset({"own"}))
    ledger.meet({"items": [{"id": "theirs"}]})
    assert ledger.make("ours")
    assert not ledger.make("theirs")
    permitted = {name: ledger.permits(name) for name in ("ours", "theirs", "own", "never-met")}
    assert permitted == {"ours": True, "theirs": False, "own": False, "never-met": True}
    assert not Ledger(careful=True).permits("never-met")


def test_what_two_cases_made_is_removed_when_both_are_over() -> None:
    with served(Stranger()) as target, requests.Session() as session:
        cleaner = Cleaner(target.url, target.document, session, Ledger(careful=True), Removals())
        target.items[4] = {}
        for case in ("first", "second"):  # as where the same bytes have the same id
            cleaner.note("/items", {"id": 4}, case)
        cleaner.finish(["first"])
        cleaner.flush(finished_only=True)
        assert 4 in target.items
        cleaner.finish(["second"])
        cleaner.flush(finished_only=True)
        assert 4 not in target.items
        assert cleaner.removals.snapshot() == {"made": 1, "removed": 1, "left": []}


@pytest.mark.parametrize("value", [ACTION_ID, "doc_" + "a" * 32, "7", 7, "short", "x" * 40])
def test_a_stand_in_has_the_form_and_another_value(value: object) -> None:
    other = stand_in(value)
    assert type(other) is type(value)
    assert other != value
    if isinstance(value, str) and "_" in value:
        assert str(other).startswith(value.partition("_")[0] + "_")
        assert len(str(other)) == len(value)
        assert set(str(other).partition("_")[2]) <= set("0123456789abcdef")


def test_too_many_cases_are_thinned_alike_in_every_kind_and_over_its_whole_range() -> None:
    kinds = ["many"] * 900 + ["some"] * 90 + ["rare"] * 3
    kept = thinned(kinds, 100, seed=7)
    assert kept == sorted(set(kept))
    assert Counter(kinds[index] for index in kept) == {"rare": 3, "some": 48, "many": 49}
    many = [index for index in kept if kinds[index] == "many"]
    assert {later - earlier for earlier, later in pairwise(many)} == {18, 19}
    assert many[0] < 19
    assert many[-1] > 880
    assert thinned(kinds, 100, seed=7) == kept
    assert thinned(kinds, 100, seed=8) != kept


@pytest.mark.parametrize("most", [1, 2, 3, 50])
def test_no_more_cases_stay_than_there_is_room_for_and_all_do_where_there_is(most: int) -> None:
    kinds = ["a", "b", "a", "c", "a"]
    kept = thinned(kinds, most, seed=1)
    assert len(kept) == min(most, len(kinds))
    assert most < len(kinds) or kept == list(range(len(kinds)))


_ALONE = """
import os, signal
from examiner.contract.alone import alone

def held():
    block = bytearray(b"x" * 100_000_000)
    return os.getpid(), len(block)

def peak():
    status = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))

before, (pid, size) = peak(), alone(held)
assert pid != os.getpid() and size == 100_000_000 and peak() - before < 10_000, (peak(), before)
alone({})
print("reached")
"""


@pytest.mark.parametrize(
    ("work", "code", "told"),
    [
        ("lambda: os.kill(os.getpid(), signal.SIGKILL)", -9, ""),
        ("lambda: 1 / 0", 1, "ZeroDivisionError"),
    ],
)
def test_work_alone_leaves_no_memory_behind_and_its_end_is_the_end(
    work: str, code: int, told: str
) -> None:
    path = os.pathsep.join(sys.path)
    ended = subprocess.run(
        [sys.executable, "-c", _ALONE.format(work)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (code, "")
    assert told in ended.stderr


def test_a_failure_is_kept_once_with_its_shortest_curl() -> None:
    tally = Tally()
    tally.expect("GET /untouched")
    for curl in ("curl long", "curl", "curl longer"):
        tally.case("GET /a", "fuzzing", 500)
        tally.fail(
            Failure("not_a_server_error", "GET /a", "fuzzing", "Server error", "", 500, curl)
        )
    tally.case("GET /a", "coverage", None)
    seen = tally.snapshot()
    assert (seen["cases"], seen["server_errors"], len(seen["failures"])) == (4, 3, 1)
    assert seen["failures"][0]["curl"] == "curl"
    first, second = seen["operations"]
    assert first["cases"] == {"fuzzing": 3, "coverage": 1}
    assert first["statuses"] == {"500": 3, "none": 1}
    assert second == {
        "operation": "GET /untouched",
        "cases": {},
        "left_out": 0,
        "statuses": {},
        "failures": 0,
    }


@pytest.mark.parametrize(
    ("last", "state", "passed"),
    [
        ({"cases": 3}, "completed", True),
        ({"cases": 0}, "completed", None),
        ({"cases": 3, "failures": [{"check": "c"}]}, "completed", False),
        ({"cases": 3, "promises": [{"kept": False}]}, "completed", False),
        ({"cases": 3, "promises": [{"kept": None}]}, "completed", True),
        ({"cases": 3, "stopped_by": "time_limit"}, "incomplete", True),
        ({"cases": 3, "stopped_by": "memory_limit"}, "incomplete", None),
        ({"cases": 3, "stopped_by": "server_unavailable"}, "incomplete", False),
        ({"cases": 3, "server_errors": 1, "stopped_by": "cancelled"}, "incomplete", False),
        ({"fault": {"code": "target_unusable", "detail": "gone"}}, "incomplete", None),
    ],
)
def test_a_verdict_says_no_more_than_was_seen(last: Json, state: str, passed: bool | None) -> None:
    report = ending(begun(), last)
    assert (report["state"], report["passed"]) == (state, passed)


def begun() -> Json:
    report = ContractReport(
        report_id=ACTION_ID,
        action="contract-test",
        service="s",
        workflow_run=None,
        created_at="2026-01-01T00:00:00+00:00",
        seed=1,
        max_examples=1,
        phases=["fuzzing"],
        scope="safe",
    )
    return report.model_dump(mode="json")


def test_junit_says_what_xml_can_say() -> None:
    promise = {"promise": "answers", "of": "GET /", "kept": False, "detail": "\x00\ud800<&"}
    text = junit_of({**begun(), "promises": [promise]}).decode()
    assert 'failures="1"' in text
    assert "&lt;&amp;" in text
    assert "\x00" not in text


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("a=http://h:1/, b=https://i", {"a": "http://h:1", "b": "https://i"}),
        ("", {"saju-service": "http://saju-service:8012"}),
    ],
)
def test_targets_come_from_the_settings(text: str, targets: dict[str, str]) -> None:
    found = targets_from_env({"HEAL7_TEST_TARGETS": text})
    assert targets.items() <= found.items()


@pytest.mark.parametrize("text", ["a", "a=ftp://h", "=http://h", "a=http://"])
def test_a_wrong_setting_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="HEAL7_TEST_TARGETS"):
        targets_from_env({"HEAL7_TEST_TARGETS": text})


@pytest.mark.parametrize(
    ("example", "variant"),
    [
        ({"n": 1}, {"n": 1, "fold": 0}),
        ({"n": 1, "fold": 0}, {"n": 1}),
        ({"n": 1, "fold": 1, "extra": 2}, {"n": 1, "extra": 2}),
    ],
)
def test_a_variant_is_another_body_that_is_as_valid(example: Json, variant: Json) -> None:
    schema = {"required": ["n"], "properties": {"n": {}, "fold": {"default": 0}}}
    assert variant_of(example, schema) == variant
    assert variant_of({"n": 1}, {"required": ["n"], "properties": {"n": {}}}) is None


class Promising:
    """Says that it follows the contract and keeps none of it but for `/health`."""

    port = 0

    def answer(self, method: str, path: str, query: str, body: bytes) -> tuple[int, Any]:
        if path == "/health":
            return 200, {"status": "healthy", "service": "promising", "version": "1"}
        if path == "/ready":
            return 200, {"ready": False, "checks": {}}
        if path == "/metrics":
            return 200, "no metric\n"
        return (200, {"id": "act_1", "status": "completed"}) if method == "POST" else (404, {})

    def allowed(self, path: str) -> str:
        return "GET, POST"


@pytest.fixture
def promising() -> Iterator[Promising]:
    with served(Promising()) as target:
        yield target


def test_broken_promises_are_told_one_by_one(promising: Promising) -> None:
    action = {"requestBody": {"content": {"application/json": {"example": {"n": 1}}}}}
    paths = {path: {"get": {}} for path in ("/health", "/ready", "/metrics")}
    document = {"paths": {**paths, "/actions/x": {"post": action}, "/actions/x/compensate": {}}}
    assert is_ours(document)
    url = f"http://127.0.0.1:{promising.port}"
    found = Asker("promising", url, document, requests.Session()).all()
    kept = {f"{promise['of']}: {promise['promise']}": promise["kept"] for promise in found}
    assert kept == {
        "GET /health: says who and how it is": True,
        "GET /ready: says what it is ready for": False,
        "GET /metrics: is Prometheus text": False,
        "GET (unknown path): refuses by problem+json with a remedy": False,
        "POST /actions/x: refuses a wrong body by problem+json with a remedy": False,
        "POST /actions/x: is undone by a key that never ran, and again": False,
        "POST /actions/x: refuses with 409 what was undone before it came": False,
        "POST /actions/x: gives the stored reply to the same key and body": True,
        "POST /actions/x: is undone once, and said to be so again": False,
        "POST /actions/x: refuses with 409 what was undone": False,
    }


def test_a_plan_says_what_is_in_scope() -> None:
    from examiner.contract.fuzz import selected

    plan = Plan("contract", "s", "http://s", "r", include=("* /items*",), exclude=("DELETE *",))
    labels = ("GET /items", "DELETE /items/{id}", "GET /other", "POST /items")
    assert [selected(label, plan) for label in labels] == [True, False, False, True]
    reading = Plan("contract", "s", "http://s", "r", scope="read")
    assert [selected(label, reading) for label in labels] == [True, False, True, False]


def test_an_idle_service_has_loaded_nothing_of_the_child() -> None:
    code = "import sys, examiner.app; print(*sys.modules)"
    out = subprocess.check_output([sys.executable, "-c", code], text=True, env=_paths())
    loaded = set(out.split())
    assert "examiner.runs" in loaded
    assert not loaded & {"requests", "schemathesis", "hypothesis", "jsonschema"}


def _paths() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
