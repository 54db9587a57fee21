"""What is read of targets, how series are judged, and which silence is one cause. All pure."""

from __future__ import annotations

import math
from statistics import NormalDist

import pytest

from ai_monitoring.baseline import SHIFT_AFTER
from ai_monitoring.exposition import Snapshot, UnreadableError, read
from ai_monitoring.measures import quantile, values
from ai_monitoring.settings import settings_from
from ai_monitoring.targets import ALL, Standing, Target, down, heard, overdue, silent
from ai_monitoring.watch import BEGIN_AFTER, END_AFTER, RECENT, Watch, Wrong, follow, is_growing
from heal7_contract.metrics import Metrics


def text(*, requests: int, errors: int, fast: int, slow: int, memory: float = 5e7) -> str:
    return f"""# TYPE heal7_http_requests_total counter
heal7_http_requests_total{{method="POST",route="/actions/x",status="200"}} {requests - errors}
heal7_http_requests_total{{method="POST",route="/actions/x",status="500"}} {errors}
heal7_http_requests_total{{method="GET",route="/health",status="200"}} 99999
# TYPE heal7_http_request_seconds histogram
heal7_http_request_seconds_bucket{{route="/actions/x",le="0.1"}} {fast}
heal7_http_request_seconds_bucket{{route="/actions/x",le="1.0"}} {fast + slow}
heal7_http_request_seconds_bucket{{route="/actions/x",le="+Inf"}} {fast + slow}
heal7_http_request_seconds_bucket{{route="/health",le="0.1"}} 99999
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes {memory}
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total {requests / 100}
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1000
"""


def named(before: Snapshot | None, after: Snapshot, seconds: float = 10) -> dict[str, float]:
    return {one.measure: one.value for one in values(before, after, seconds)}


def test_what_happened_between_two_looks() -> None:
    first = read(text(requests=100, errors=10, fast=100, slow=0))
    second = read(text(requests=200, errors=40, fast=150, slow=50))
    assert named(None, first) == {"memory_mb": 50.0}
    found = named(first, second)
    assert found["error_percent"] == 30.0
    assert found["cpu_percent"] == pytest.approx(10.0)
    assert found["request_p95_ms"] == pytest.approx(910.0)  # 45 of the 50 between 0.1 and 1 s


def test_the_services_own_metrics_are_understood() -> None:
    """As the contract's module writes them, so that a change there is noticed here."""
    metrics = Metrics("a-service", "0.1.0")

    def serve(count: int, status: str) -> Snapshot:
        for _ in range(count):
            metrics.requests.labels("POST", "/actions/x", status).inc()
            metrics.request_seconds.labels("POST", "/actions/x").observe(0.02)
        return read(metrics.text().decode())

    found = named(serve(5, "200"), serve(10, "500"))
    assert found["error_percent"] == 100.0
    assert 10 < found["request_p95_ms"] <= 25
    assert {"memory_mb", "cpu_percent", "open_files"} <= set(found)


def test_few_requests_say_nothing_of_latency_or_errors() -> None:
    first = read(text(requests=100, errors=0, fast=100, slow=0))
    second = read(text(requests=104, errors=4, fast=100, slow=4))
    assert set(named(first, second)) == {"memory_mb", "cpu_percent"}


def test_a_restart_in_between_is_no_measurement() -> None:
    first = read(text(requests=100, errors=0, fast=100, slow=0))
    again = read(text(requests=10, errors=0, fast=10, slow=0))
    assert set(named(first, again)) == {"memory_mb"}


def test_what_the_hub_tells_of_itself_and_of_services() -> None:
    def hub(failed: int, probes: int) -> Snapshot:
        return read(f"""# TYPE heal7_event_loop_lag_seconds gauge
heal7_event_loop_lag_seconds 0.002
# TYPE heal7_service_memory_bytes gauge
heal7_service_memory_bytes{{service="saju-service"}} 3e7
# TYPE heal7_workflow_runs_total counter
heal7_workflow_runs_total{{workflow="w",status="completed"}} 10
heal7_workflow_runs_total{{workflow="w",status="compensated"}} {failed}
# TYPE heal7_probe_duration_seconds histogram
heal7_probe_duration_seconds_bucket{{service="saju-service",le="0.01"}} {probes}
heal7_probe_duration_seconds_bucket{{service="saju-service",le="+Inf"}} {probes}
""")

    found = {(v.subject, v.measure): v.value for v in values(hub(0, 5), hub(10, 9), 10)}
    assert found["", "event_loop_lag_ms"] == pytest.approx(2.0)
    assert found["", "error_percent"] == 100.0
    assert found["saju-service", "memory_mb"] == 30.0
    assert found["saju-service", "probe_p95_ms"] == pytest.approx(9.5)


@pytest.mark.parametrize("bad", ["<html>", 'a{b="c} 1', "a b c d e", "x" * 100])
def test_what_is_no_exposition_is_refused(bad: str) -> None:
    with pytest.raises(UnreadableError):
        read(bad)


def test_an_exposition_without_end_is_refused() -> None:
    with pytest.raises(UnreadableError, match="20000"):
        read("".join(f'a{{i="{i}"}} 1\n' for i in range(20_001)))


@pytest.mark.parametrize(
    ("buckets", "expected"),
    [
        ({}, None),
        ({0.1: 4, math.inf: 4}, None),
        ({0.1: 100, math.inf: 100}, 0.095),
        ({0.1: 0, 0.2: 100, math.inf: 100}, 0.195),
        ({0.1: 0, math.inf: 100}, 0.1),
    ],
)
def test_a_quantile_of_buckets(buckets: dict[float, float], expected: float | None) -> None:
    found = quantile(buckets, 0.95, 5)
    assert found == (None if expected is None else pytest.approx(expected))


def fed(measure: str, values_: list[float], watch: Watch | None = None) -> Watch:
    watch = watch or Watch("t", "", measure)
    for at, value in enumerate(values_):
        watch = follow(watch, float(at), value).watch
    return watch


def usual(count: int, level: float = 100.0, seed: int = 1) -> list[float]:
    return [level * math.exp(0.1 * x) for x in NormalDist().samples(count, seed=seed)]


def test_what_is_odd_must_last_to_be_told_and_be_over_to_end() -> None:
    watch = fed("request_p95_ms", usual(120))
    said = []
    for at, value in enumerate([900.0] * 5 + [100.0] * 4):
        turn = follow(watch, float(at), value)
        watch = turn.watch
        said.append((turn.began, turn.ended))
    assert said[BEGIN_AFTER - 1] == (Wrong.UNUSUAL, None)
    assert said[5 + END_AFTER - 1] == (None, Wrong.UNUSUAL)
    assert sum(one != (None, None) for one in said) == 2


def test_a_single_odd_value_is_not_told() -> None:
    watch = fed("request_p95_ms", [*usual(120), 900.0, *usual(5), 900.0, 900.0, *usual(3)])
    assert watch.wrong is None


def test_a_level_that_lasts_ends_what_was_told_and_is_told_itself() -> None:
    watch = fed("memory_mb", usual(120))
    turns = []
    for at in range(SHIFT_AFTER):
        turns.append(follow(watch, float(at), 400.0))
        watch = turns[-1].watch
    assert [turn.began for turn in turns].count(Wrong.UNUSUAL) == 1
    assert turns[-1].ended is Wrong.UNUSUAL
    assert turns[-1].shift is not None
    assert watch.wrong is None


def test_what_is_tiny_is_never_unusual() -> None:
    watch = fed("request_p95_ms", [*[2.0] * 120, *[20.0] * 20])
    assert watch.wrong is None


def test_errors_are_a_share_and_not_a_habit() -> None:
    watch = fed("error_percent", [50.0] * BEGIN_AFTER)
    assert watch.wrong is Wrong.ERRORS
    assert fed("error_percent", [0.0] * END_AFTER, watch).wrong is None
    assert fed("error_percent", [5.0] * 50).wrong is None


def test_a_full_disk_is_told_without_having_learnt() -> None:
    assert fed("disk_used_percent", [96.0] * BEGIN_AFTER).wrong is Wrong.FULL
    assert fed("disk_used_percent", [60.0] * 50).wrong is None


@pytest.mark.parametrize(
    ("name", "levels", "growing"),
    [
        ("a leak", [100 + i * 0.4 for i in range(RECENT)], True),
        ("a level", [100.0] * RECENT, False),
        ("a warm-up", [100 + min(i, 60) for i in range(RECENT)], False),
        ("a saw", [100 + (i % 80) for i in range(RECENT)], False),
        ("a slow leak", [100 + i * 0.05 for i in range(RECENT)], False),
        ("too little seen", [100 + i * 2 for i in range(RECENT - 1)], False),
    ],
)
def test_memory_that_only_ever_grows(name: str, levels: list[float], growing: bool) -> None:
    noise = NormalDist().samples(len(levels), seed=3)
    recent = tuple(
        (float(i), level + 0.5 * odd)
        for i, (level, odd) in enumerate(zip(levels, noise, strict=True))
    )
    assert is_growing(recent) is growing, name


def answering(*names: str) -> dict[str, Target]:
    return {n: heard(Target(n, f"http://{n}/"), Snapshot(), 100.0, 1.0) for n in names}


def test_one_silent_target_is_down_at_the_second_time_and_up_at_the_first_answer() -> None:
    targets = answering("a", "b")
    targets["a"] = silent(targets["a"], "it cannot be reached: refused")
    assert down(targets) == {}
    targets["a"] = silent(targets["a"], "it cannot be reached: refused")
    assert targets["a"].standing is Standing.DOWN
    assert down(targets) == {"a": "a: it cannot be reached: refused"}
    targets["a"] = heard(targets["a"], Snapshot(), 130.0, 1.0)
    assert down(targets) == {}


def test_all_silent_at_once_is_one_cause() -> None:
    targets = {n: silent(silent(t, "gone"), "gone") for n, t in answering("a", "b", "c").items()}
    targets["hub"] = heard(Target("hub", None), Snapshot(), 100.0, None)
    assert list(down(targets)) == [ALL]


def test_a_sender_that_stops_is_silent_and_one_that_never_began_is_waited_for() -> None:
    hub = Target("hub", None)
    assert overdue(hub, 1e9, 15).standing is Standing.WAITING
    hub = heard(hub, Snapshot(), 100.0, None)
    assert overdue(hub, 150.0, 15).standing is Standing.UP
    late = overdue(hub, 170.0, 15)
    assert down({"hub": late}) == {"hub": "hub: it has sent nothing for 70 s"}


def test_settings_are_read() -> None:
    env = {
        "HEAL7_MONITOR_TARGETS": "a=http://a:1/metrics, b=http://b:2/metrics",
        "HEAL7_MONITOR_PUSHED": "hub",
        "HEAL7_MONITOR_INTERVAL_S": "5",
    }
    read_settings = settings_from(env)
    assert dict(read_settings.targets) == {"a": "http://a:1/metrics", "b": "http://b:2/metrics"}
    assert (read_settings.pushed, read_settings.interval_s) == (frozenset({"hub"}), 5.0)
    assert settings_from({}).targets == {}


@pytest.mark.parametrize(
    "env",
    [
        {"HEAL7_MONITOR_TARGETS": "a"},
        {"HEAL7_MONITOR_TARGETS": "a=ftp://a/"},
        {"HEAL7_MONITOR_TARGETS": "a=http://u:p@a/"},
        {"HEAL7_MONITOR_TARGETS": "a=http://a:99999/"},
        {"HEAL7_MONITOR_PUSHED": "A B!"},
        {"HEAL7_MONITOR_INTERVAL_S": "1"},
        {"HEAL7_MONITOR_INTERVAL_S": "soon"},
    ],
)
def test_a_setting_that_cannot_be_used_is_named(env: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(env))):
        settings_from(env)
