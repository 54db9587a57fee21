"""Levels and runs, in the forms that services really write."""

from __future__ import annotations

import pytest

from controller.logs.reading import read
from controller.model.log import Level

RUN = "run_0192f3c4a1b2_9f3a61c2"


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ('{"level": "error", "message": "x"}', Level.ERROR),
        ('{"levelname": "WARNING", "msg": "x"}', Level.WARNING),
        ('{"severity": "Critical"}', Level.FATAL),
        ('{"level": 50, "msg": "pino"}', Level.ERROR),
        ('{"level": 60, "msg": "pino"}', Level.FATAL),
        ('{"message": "no level at all, only an error told of"}', Level.UNSET),
        ('{"broken": ', Level.UNSET),
        ('time="2026-01-02T03:04:05Z" level=warning msg="slow"', Level.WARNING),
        ("ts=2026 lvl=eror err=x", Level.UNSET),
        ("2026-01-02 03:04:05,678 - app - ERROR - it failed", Level.ERROR),
        ("2026-01-02 03:04:05.678  WARN 1 --- [main] c.e.App : slow", Level.WARNING),
        ('INFO:     127.0.0.1:5000 - "GET / HTTP/1.1" 200 OK', Level.INFO),
        ("2026/01/02 03:04:05 [error] 7#7: *1 open() failed", Level.ERROR),
        ("[2026-01-02 03:04:05 +0000] [1] [CRITICAL] WORKER TIMEOUT", Level.FATAL),
        ("E0102 03:04:05.678901       1 main.go:7] no", Level.ERROR),
        ("I0102 03:04:05.678901       1 main.go:7] yes", Level.INFO),
        ("2026-01-02 03:04:05.678 UTC [27] FATAL:  database is starting up", Level.FATAL),
        ("2026-01-02 03:04:05.678 UTC [27] LOG:  ready", Level.INFO),
        ("1:M 02 Jan 2026 03:04:05.678 * Ready to accept connections", Level.UNSET),
        ("<warning> disk is slow", Level.WARNING),
        ("warning: deprecated", Level.WARNING),
        ("Error: listen EADDRINUSE", Level.ERROR),
        ("Traceback (most recent call last):", Level.ERROR),
        ("panic: runtime error: index out of range", Level.ERROR),
        ("DEBUG [db] select 1", Level.DEBUG),
        ("no error here, nor an ERRORS_TOTAL or /var/log/ERROR.log", Level.UNSET),
        ("오류 없이 끝났습니다", Level.UNSET),
        ("", Level.UNSET),
    ],
)
def test_the_level_is_where_usual_forms_put_it(text: str, level: Level) -> None:
    assert read(text)[0] is level


@pytest.mark.parametrize(
    ("text", "run", "step"),
    [
        (f'{{"run": "{RUN}", "step": "calculate"}}', RUN, "calculate"),
        (f'{{"workflow_run": "{RUN}"}}', RUN, ""),
        (f"charged for {RUN}:charge", RUN, ""),
        ('{"step": "3"}', "", ""),
        ("run_fast", "", ""),
    ],
)
def test_a_line_says_which_run_it_is_of(text: str, run: str, step: str) -> None:
    assert read(text)[1:] == (run, step)
