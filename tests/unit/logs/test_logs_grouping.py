"""Stack traces stay one entry, and nothing else is swallowed."""

from __future__ import annotations

import textwrap

import pytest

from controller.logs.grouping import MAX_LINES, Grouper
from controller.model.log import Entry, Level, Line

PYTHON = """\
    ERROR:    it broke
    Traceback (most recent call last):
      File "/app/a.py", line 1, in f
        g()
    KeyError: 'x'

    During handling of the above exception, another exception occurred:

    Traceback (most recent call last):
      File "/app/a.py", line 3, in f
        raise ValueError
    ValueError: no
"""
JAVA = """\
    2026-01-02 ERROR 1 --- [main] c.e.App : failed
    java.lang.IllegalStateException: no
    \tat c.e.App.run(App.java:7)
    Caused by: java.io.IOException: disk
    \tat c.e.Disk.read(Disk.java:9)
    \t... 3 more
"""
GO = """\
    panic: runtime error: index out of range [5] with length 3

    goroutine 1 [running]:
    main.main()
    \t/app/main.go:8 +0x1d
    exit status 2
"""
NODE = """\
    Error: connect ECONNREFUSED
        at TCPConnectWrap.afterConnect (net.js:1141:16)
        at node:internal/main
"""


def grouped(text: str, step_ns: int = 1000) -> list[Entry]:
    grouper, found = Grouper(), []
    for at, line in enumerate(textwrap.dedent(text).splitlines()):
        entry = grouper.feed(Line(at * step_ns, True, line))
        found += [entry] if entry else []
    return found + grouper.flush()


@pytest.mark.parametrize("trace", [PYTHON, GO, NODE])
def test_a_trace_is_one_entry_and_an_error(trace: str) -> None:
    before, told, after = grouped("    before\n" + trace + "    after\n")
    assert told.text == textwrap.dedent(trace).rstrip()
    assert told.level is Level.ERROR
    assert (before.text, after.text) == ("before", "after")
    assert (before.level, after.level) == (Level.UNSET, Level.UNSET)


def test_a_java_trace_hangs_together_from_its_exception_on() -> None:
    said, told, after = grouped(JAVA + "    after\n")
    assert said.text.endswith("failed")
    assert told.text.startswith("java.lang.IllegalStateException")
    assert told.text.endswith("... 3 more")
    assert told.level is Level.ERROR
    assert after.text == "after"


def test_lines_at_the_margin_stay_apart() -> None:
    assert [e.text for e in grouped("    one\n    two\n\n    three\n")] == [
        "one",
        "two",
        "",
        "three",
    ]


def test_what_comes_much_later_is_something_else() -> None:
    assert len(grouped("    one\n      two\n", step_ns=3_000_000_000)) == 2


def test_the_two_streams_do_not_mix() -> None:
    grouper = Grouper()
    grouper.feed(Line(1, True, "Traceback (most recent call last):"))
    grouper.feed(Line(2, False, "all is well"))
    grouper.feed(Line(3, True, "  File x"))
    grouper.feed(Line(4, True, "ValueError"))
    assert [e.text.splitlines()[0] for e in grouper.flush()] == [
        "Traceback (most recent call last):",
        "all is well",
    ]


def test_an_entry_is_over_when_nothing_was_added_for_a_moment() -> None:
    grouper = Grouper()
    grouper.feed(Line(1_000_000_000, False, "one"))
    assert grouper.flush(1_100_000_000) == []
    assert [e.text for e in grouper.flush(1_250_000_000)] == ["one"]
    assert grouper.flush(9_000_000_000) == []


def test_a_trace_without_end_is_bounded() -> None:
    lines = ["Traceback (most recent call last):", *("  File x" for _ in range(3000)), "E", "after"]
    found = grouped("\n".join(f"    {line}" for line in lines))
    assert [e.text for e in found[1:]] == ["after"]
    assert found[0].text.count("\n") == MAX_LINES - 1
