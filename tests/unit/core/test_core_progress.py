"""From the engine's own lines to how far a pull or a build is."""

from __future__ import annotations

from typing import Any

import pytest

from controller.engine.progress import BuildError, BuildProgress, PullProgress
from controller.model.text import text

MIB = 1024 * 1024


def line(status: str, layer: str = "", now: int = 0, total: int = 0) -> dict[str, Any]:
    detail = {"current": now, "total": total} if total else {}
    return {"status": status, "id": layer, "progressDetail": detail}


PULL = [
    (line("Pulling from library/a", "latest"), (0, 0, 0.0, 0.0)),
    (line("Pulling fs layer", "a"), (0, 1, 0.0, 0.0)),
    (line("Already exists", "b"), (1, 2, 0.0, 0.0)),
    (line("Downloading", "a", MIB, 4 * MIB), (1, 2, 1.0, 4.0)),
    (line("Download complete", "a"), (1, 2, 4.0, 4.0)),
    (line("Extracting", "a", MIB, 4 * MIB), (1, 2, 4.0, 4.0)),
    (line("Pull complete", "a"), (2, 2, 4.0, 4.0)),
    ({"status": "Digest: sha256:0"}, (2, 2, 4.0, 4.0)),
    ({}, (2, 2, 4.0, 4.0)),
]


def test_the_layers_of_a_pull_are_added_up() -> None:
    progress = PullProgress()
    for said, (done, layers, loaded, size) in PULL:
        wanted = text("phase.pulling", done=done, layers=layers, loaded=loaded, size=size)
        assert progress.next(said) == wanted


BUILD = [
    ("Step 1/3 : FROM a\n", (1, 3, "FROM a")),
    (" ---> 0123456789ab\n", (1, 3, "FROM a")),
    ("Step 2/3 : RUN make\n", (2, 3, "RUN make")),
    (" ---> Running in 0123456789ab\n", (2, 3, "RUN make")),
    ("cc a.c\r\ncc b.c", (2, 3, "cc b.c")),
    ("Removing intermediate container 0123456789ab\n", (2, 3, "cc b.c")),
    ("\n", (2, 3, "cc b.c")),
    ("x" * 999, (2, 3, "x" * 200)),
]


def test_the_step_of_a_build_is_told_with_its_last_line() -> None:
    progress = BuildProgress()
    assert progress.told() == text("phase.reading_context")
    for said, (step, of, last) in BUILD:
        progress.lines({"stream": said})
        assert progress.told() == text("phase.building", step=step, of=of, line=last)


def test_what_a_build_pulls_meanwhile_changes_nothing() -> None:
    progress = BuildProgress()
    progress.lines({"stream": "Step 1/3 : FROM a\n"})
    before = progress.told()
    assert progress.lines({"status": "Downloading", "id": "a"}) == []
    assert progress.told() == before


def test_a_failure_names_its_step_and_keeps_the_end_of_the_output() -> None:
    progress = BuildProgress()
    progress.lines({"stream": "Step 1/1 : RUN make\n"})
    for number in range(99):
        progress.lines({"stream": f"line {number}\n"})
    with pytest.raises(BuildError) as caught:
        progress.lines({"error": "code 2\n", "errorDetail": {"code": 2}})
    assert (caught.value.detail, caught.value.step) == ("code 2", "Step 1/1 : RUN make")
    assert caught.value.output.splitlines() == [f"line {n}" for n in range(84, 99)]
