"""The commands as a script or a person meets them: exit codes, one JSON document, clear errors."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest

from tests.unit.cli.fakes import ROOT, FakeHub, Heal7, operation, planned, service

STATUS = "GET /orchestration/status"
LONG_REASON = (
    "The health endpoint answered 503 Service Unavailable three times in a row, the last time with "
    "the words “database is locked”, so it is restarted at once."
)


def stack(*services: dict[str, object]) -> dict[str, object]:
    return {
        "orchestration_hub": "active",
        "total_services": len(services),
        "running": len(services),
        "healthy": sum(1 for s in services if s["health"] == "healthy"),
        "services": list(services),
    }


def test_ps_shows_health_and_whole_reasons_within_80_columns(
    fake_hub: FakeHub, heal7: Heal7
) -> None:
    fake_hub.on(
        STATUS,
        stack(
            service("ai-monitoring-service"),
            service("saju-service", health="unhealthy", reason=LONG_REASON),
        ),
    )
    done = heal7("ps")
    assert done.returncode == 0
    assert done.stderr == ""
    shown = done.stdout.splitlines()
    assert max(len(line) for line in shown) <= 80
    assert "✓  ai-monitoring-service  healthy" in done.stdout
    assert "✗  saju-service           unhealthy" in done.stdout
    assert " ".join(LONG_REASON.split()) in " ".join(done.stdout.split())
    assert "It answers." not in done.stdout
    assert "\x1b" not in done.stdout


def test_ps_json_is_the_answer_of_the_hub(fake_hub: FakeHub, heal7_process: Heal7) -> None:
    answer = stack(service("saju-service", reason="응답합니다."))
    fake_hub.on(STATUS, answer)
    for arguments in (("ps", "--json"), ("--json", "ps")):
        done = heal7_process(*arguments)
        assert done.returncode == 0
        assert json.loads(done.stdout) == answer


@pytest.mark.parametrize(
    ("arguments", "env", "sent"),
    [
        (("ps",), {"LANG": "ko_KR.UTF-8"}, "ko"),
        (("ps",), {"LANG": "ko_KR.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        (("ps", "--lang", "ko"), {}, "ko"),
        (("--lang", "ko", "ps"), {}, "ko"),
    ],
)
def test_the_language_goes_out_with_the_request(
    fake_hub: FakeHub, heal7: Heal7, arguments: tuple[str, ...], env: dict[str, str], sent: str
) -> None:
    fake_hub.on(STATUS, stack())
    assert heal7(*arguments, **env).returncode == 0
    assert fake_hub.headers[-1]["Accept-Language"] == sent


def test_an_unreachable_hub_is_3_with_one_sentence_and_a_remedy(
    heal7: Heal7, heal7_process: Heal7
) -> None:
    with socket.socket() as bound_and_silent:
        bound_and_silent.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{bound_and_silent.getsockname()[1]}"
        for arguments in (("ps",), ("start",), ("plan",), ("events",)):
            done = heal7(*arguments, "--hub", address)
            assert done.returncode == 3, arguments
            assert done.stdout == ""
            assert f"The hub at {address} is not running (connection refused)." in done.stderr
            assert "heal7 up" in done.stderr
            assert "Traceback" not in done.stderr
        document = json.loads(heal7_process("ps", "--json", "--hub", address).stdout)
    assert document["title"] == "The hub cannot be reached"


def test_a_problem_is_1_with_its_words_and_its_remedy(
    fake_hub: FakeHub, heal7_process: Heal7
) -> None:
    fake_hub.problem(
        STATUS, 503, title="The engine cannot be reached", detail="It hung up.", remedy="Start it."
    )
    done = heal7_process("ps")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == ("heal7: The engine cannot be reached: It hung up.\n  → Start it.\n")
    document = json.loads(heal7_process("ps", "--json").stdout)
    assert (document["status"], document["remedy"]) == (503, "Start it.")


def test_something_that_is_no_hub_is_said_to_be_none(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on(STATUS, "<html>hello</html>")
    done = heal7("ps")
    assert done.returncode == 3
    assert "it is not a HEAL7 hub" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("ps", "--nonsense"),
        ("ps", "--hub", "not an address"),
        ("ps", "--hub", "http://127.0.0.1:99999"),
        ("ps", "--lang", "fr"),
        ("events", "--limit", "0"),
    ],
)
def test_wrong_usage_is_2(heal7: Heal7, arguments: tuple[str, ...]) -> None:
    done = heal7(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_wrong_usage_is_2_for_the_program_too(heal7_process: Heal7) -> None:
    assert heal7_process("nonsense").returncode == 2


def test_start_of_all_reports_each_service(fake_hub: FakeHub, heal7: Heal7) -> None:
    names = ("saju-service", "test-service")
    fake_hub.on(
        "POST /orchestration/start-all?wait=false", operation("o1", "running", *names), status=202
    )
    fake_hub.on(
        "GET /orchestration/operations/o1",
        operation("o1", "running", *names),
        operation("o1", "succeeded", *names),
    )
    done = heal7("start")
    assert done.returncode == 0, done.stderr
    assert "✓  saju-service  started  1.2 s" in done.stdout
    assert "2 of 2 services done." in done.stdout
    assert "start saju-service: running" in done.stderr
    assert "start saju-service: done" in done.stderr


def test_a_failed_service_names_its_cause_and_is_1(fake_hub: FakeHub, heal7: Heal7) -> None:
    failed = operation("o1", "failed", "saju-service", outcome="failed")
    failed["results"]["saju-service"]["detail"] = "Port 8012 is held by another program."
    fake_hub.on(
        "POST /orchestration/services/saju-service/start?wait=false",
        operation("o1", "running", "saju-service"),
        status=202,
    )
    fake_hub.on("GET /orchestration/operations/o1", failed)
    done = heal7("start", "saju-service")
    assert done.returncode == 1
    assert "✗  saju-service  failed" in done.stdout
    assert "Port 8012 is held by another program." in done.stdout
    document = json.loads(heal7("start", "saju-service", "--json").stdout)
    assert document["success"] is False
    assert document["results"]["saju-service"]["outcome"] == "failed"


def test_a_build_is_followed_line_by_line(fake_hub: FakeHub, heal7: Heal7) -> None:
    def building(state: str, progress: str | None) -> dict[str, object]:
        step = {"op": "build_image", "service": "web", "cause": "asked for"}
        told = operation("o1", state, "web", outcome="built", kind="build")
        done = "done" if state == "succeeded" else "running"
        return told | {"steps": [step | {"status": done, "progress": progress}]}

    fake_hub.on(
        "POST /orchestration/services/web/build?wait=false", building("running", None), status=202
    )
    fake_hub.on(
        "GET /orchestration/operations/o1",
        building("running", "step 1 of 2: FROM a"),
        building("running", "step 1 of 2: FROM a"),
        building("running", "step 2 of 2: \x1b[31mRUN make"),
        building("succeeded", None),
    )
    done = heal7("compose", "build", "web")
    assert done.returncode == 0, done.stderr
    assert "✓  web  built  1.2 s" in done.stdout
    assert done.stderr.splitlines() == [
        "build image web: running",
        "build image web: step 1 of 2: FROM a",
        "build image web: step 2 of 2: �[31mRUN make",
        "build image web: done",
    ]


def test_what_there_is_nothing_to_pull_of_is_no_failure(fake_hub: FakeHub, heal7: Heal7) -> None:
    result = {"outcome": "not_pulled", "cause": "It is built.", "duration_ms": 0}
    ended = operation("o1", "succeeded", "web", "db", outcome="pulled", kind="pull")
    ended["results"]["web"] = result
    fake_hub.on("POST /orchestration/pull-all?wait=false", ended, status=202)
    done = heal7("compose", "pull")
    assert done.returncode == 0, done.stderr
    assert "–  web  not pulled" in done.stdout
    assert "It is built." in done.stdout
    assert "1 of 2 services done." in done.stdout
    assert "did not make it" not in done.stdout


def test_several_services_are_one_request_each_and_one_document(
    fake_hub: FakeHub, heal7: Heal7
) -> None:
    fake_hub.on("POST /orchestration/services/a/stop?wait=false", operation("o1", "running", "a"))
    fake_hub.on("GET /orchestration/operations/o1", operation("o1", "succeeded", "a"))
    fake_hub.problem(
        "POST /orchestration/services/b/stop?wait=false",
        404,
        title="No such service",
        detail="There is no service b.",
        remedy="Did you mean a?",
    )
    done = heal7("stop", "a", "b", "--json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert [o["id"] for o in document["operations"]] == ["o1"]
    assert [(p["target"], p["title"]) for p in document["problems"]] == [("b", "No such service")]
    spoken = heal7("stop", "a", "b")
    assert "No such service: There is no service b." in spoken.stderr
    assert "Did you mean a?" in spoken.stderr


def test_a_name_cannot_reach_another_endpoint(fake_hub: FakeHub, heal7: Heal7) -> None:
    assert heal7("start", "../../config").returncode == 1
    assert fake_hub.asked == ["POST /orchestration/services/..%2F..%2Fconfig/start?wait=false"]


PLAN = {
    "plan": [
        planned(0, "create_network", "", "heal7_default"),
        planned(1, "create", "saju-service", "heal7-saju-service-1", cause="It is not there."),
        planned(2, "start", "saju-service", "heal7-saju-service-1", after=[0, 1]),
    ],
    "settled": {"test-service": "already_running"},
}


def test_plan_and_dry_run_are_the_same_and_change_nothing(fake_hub: FakeHub, heal7: Heal7) -> None:
    request = "POST /orchestration/services/saju-service/start?dry_run=true"
    fake_hub.on(request, PLAN)
    shown = [
        heal7(*arguments).stdout
        for arguments in (
            ("plan", "saju-service"),
            ("plan", "start", "saju-service"),
            ("start", "saju-service", "--dry-run"),
        )
    ]
    assert fake_hub.asked == [request] * 3
    assert len(set(shown)) == 1
    assert (
        shown[0]
        == """\
start would take 3 steps; nothing has been changed.

    STEP            OF             AFTER
1.  create network  heal7_default
    People want it running.
2.  create          saju-service
    It is not there.
3.  start           saju-service   1, 2
    People want it running.

test-service is already running.
"""
    )
    assert json.loads(heal7("plan", "saju-service", "--json").stdout) == PLAN


def test_plan_of_all_asks_for_the_action_named(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on("POST /orchestration/restart-all?dry_run=true", {"plan": []})
    done = heal7("plan", "restart")
    assert done.returncode == 0
    assert "nothing to do" in done.stdout


def test_client_commands_import_nothing_heavy() -> None:
    program = (
        "import sys, runpy; sys.argv = ['heal7', 'ps', '--hub', 'http://127.0.0.1:9']\n"
        "try: runpy.run_module('controller', run_name='__main__')\n"
        "except SystemExit as left: assert left.code == 3, left.code\n"
        "print(sorted({'docker', 'fastapi', 'aiohttp', 'uvicorn', 'yaml', 'jinja2'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_colours_only_where_they_are_wanted(fake_hub: FakeHub, heal7: Heal7) -> None:
    fake_hub.on(STATUS, stack(service("saju-service")))
    assert "\x1b[32m" in heal7("ps", FORCE_COLOR="1", TERM="xterm").stdout
    assert "\x1b[32m" not in heal7("ps", FORCE_COLOR="1", TERM="xterm", NO_COLOR="1").stdout


def test_version(heal7_process: Heal7) -> None:
    done = heal7_process("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("heal7 ")
