"""The benchmarks run on the real thing and print what they promise; how fast is not judged here."""

from __future__ import annotations

import re

from tests.e2e.e2e_support import Home, shell


def test_the_lifecycle_bench_prints_every_ratio(home: Home) -> None:
    out = shell(".venv/bin/python bench/lifecycle.py --rounds 1 --rate 50 --load 1 --idle 1").out
    for ratio in ("start-all / docker-compose up", "stop-all / docker-compose down", "floor"):
        assert re.search(rf"{ratio}\D+\d+\.\d\d", out), out
    for cost in ("p99 at 50/s", "resident", "of one core"):
        assert cost in out


def test_a_hub_killed_inside_start_all_leaves_no_fault(home: Home) -> None:
    out = shell(".venv/bin/python bench/kills.py --rounds 1 --seed 3").out
    assert "1 kills" in out
    assert "0 faults" in out


def test_the_healing_bench_prints_figures_with_their_goals_and_the_faults() -> None:
    out = shell(".venv/bin/python bench/healing.py --only storm,feed --rounds 2").out
    for row in ("storm of 2 kills: unhealed", "time to heal, p50 / p99", "`service` at a client"):
        assert row in out, out
    assert "0 faults" in out


def test_the_workflow_bench_prints_figures_with_their_goals() -> None:
    out = shell(".venv/bin/python bench/workflows.py --runs 100 --listed 200 --no-peers").out
    for figure in ("runs/s", "added .goal <= 3 ms.", "finished runs, page with", "was late"):
        assert re.search(figure, out), out


def test_probing_a_large_stack_prints_what_it_costs() -> None:
    out = shell(".venv/bin/python bench/probes.py --services 20 --hanging 1 --seconds 1").out
    for cost in ("probes/s", "loop lag p50", "loop lag p99", "of one core"):
        assert re.search(rf"{cost}\D+\d", out), out


def test_the_services_bench_prints_figures_with_their_goals() -> None:
    out = shell(".venv/bin/python bench/services.py --rounds 1 --charts 100 --no-peers").out
    for figure in (
        r"images together\D+\d+ MB",
        r"start to ready, saju-service\D+\d",
        r"idle memory together\D+\d+ MiB",
        r"100 charts over HTTP",
    ):
        assert re.search(figure, out), out
    assert ">= 200/s" in out
    assert "<= 600 MB" in out
