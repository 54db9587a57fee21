"""What of a stranger's folder is sent to be built, as the engine will unpack it."""

from __future__ import annotations

import os
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.engine import context
from controller.engine.context import ContextError, packed
from controller.model.build import BuildSpec

Entries = dict[str, tarfile.TarInfo]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A context with the usual files, inside the folder that may be read (`tmp_path`)."""
    folder = tmp_path / "app"
    (folder / "src").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM a\n")
    (folder / "src" / "main.py").write_text("print()\n")
    (folder / "src" / "junk.log").write_text("x\n")
    return folder


def spec(app: Path, **more: str) -> BuildSpec:
    return BuildSpec(context=str(app), root=str(app.parent), where="c.yaml:3", **more)


def entries(build: BuildSpec) -> tuple[Entries, dict[str, str], str]:
    """Entries by name, texts of files by name, and the Dockerfile's name."""
    with packed(build) as made, tarfile.open(fileobj=made.tar) as tar:
        found = {info.name: info for info in tar.getmembers()}
        texts = {
            name: content.read().decode()
            for name, info in found.items()
            if info.isreg() and (content := tar.extractfile(info))
        }
        return found, texts, made.dockerfile


def test_modes_links_and_empty_folders_are_sent_as_they_are(app: Path) -> None:
    (app / "empty").mkdir(mode=0o700)
    (app / "run").write_text("#!/bin/sh\n")
    (app / "run").chmod(0o750)
    (app / "away").symlink_to("/etc/passwd")
    os.link(app / "run", app / "same")
    found, texts, dockerfile = entries(spec(app))
    assert dockerfile == "Dockerfile"
    assert found["empty"].isdir()
    assert found["empty"].mode == 0o700
    assert found["run"].mode == 0o750 or found["same"].mode == 0o750
    assert found["away"].issym()
    assert found["away"].linkname == "/etc/passwd"
    assert {found["run"].islnk(), found["same"].islnk()} == {True, False}
    assert {(info.uid, info.gid, info.uname) for info in found.values()} == {(0, 0, "")}
    assert texts["src/main.py"] == "print()\n"


def test_what_is_no_file_is_never_waited_for(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(app / "pipe")
    # The path of a socket must be short.
    monkeypatch.chdir(app)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind("door")
        found, _, _ = entries(spec(app))
    assert found["pipe"].isfifo()
    assert "door" not in found


IGNORED = [
    ("", {"src/main.py", "src/junk.log"}),
    ("# a comment\n\n  *.log  \n", {"src/main.py", "src/junk.log"}),
    ("**/*.log", {"src/main.py"}),
    ("/src/", set()),
    ("src\n!src/main.py", {"src/main.py"}),
    ("*\n!src", {"src/main.py", "src/junk.log"}),
    ("*", set()),
]


@pytest.mark.parametrize(("lines", "kept"), IGNORED)
def test_dockerignore_is_honoured_and_the_dockerfile_always_sent(
    app: Path, lines: str, kept: set[str]
) -> None:
    (app / ".dockerignore").write_text(lines)
    found, _, _ = entries(spec(app))
    files = {name for name, info in found.items() if info.isreg()}
    assert files == kept | {"Dockerfile", ".dockerignore"}


def test_a_dockerignore_of_the_dockerfiles_own_comes_first(app: Path) -> None:
    (app / ".dockerignore").write_text("src")
    (app / "Other").write_text("FROM b\n")
    (app / "Other.dockerignore").write_text("**/*.log")
    _, texts, dockerfile = entries(spec(app, dockerfile="Other"))
    assert texts[dockerfile] == "FROM b\n"
    assert "src/main.py" in texts
    assert "src/junk.log" not in texts


def test_a_text_of_its_own_is_hidden_from_copy_and_has_the_same_name_each_time(app: Path) -> None:
    build = spec(app, inline="FROM c\n")
    _, texts, dockerfile = entries(build)
    assert texts[dockerfile] == "FROM c\n"
    assert texts["Dockerfile"] == "FROM a\n"
    assert {dockerfile, ".dockerignore"} <= set(texts[".dockerignore"].split())
    assert entries(build)[2] == dockerfile
    assert entries(spec(app, inline="FROM d\n"))[2] != dockerfile


def test_a_dockerfile_may_lie_beside_its_context(app: Path) -> None:
    (app.parent / "docker").mkdir()
    (app.parent / "docker" / "Web").write_text("FROM beside\n")
    _, texts, dockerfile = entries(spec(app, dockerfile="../docker/Web"))
    assert texts[dockerfile] == "FROM beside\n"


def _outside(app: Path) -> BuildSpec:
    return BuildSpec(context=str(app.parent.parent), root=str(app.parent), where="c.yaml:3")


def _linked_out(app: Path) -> BuildSpec:
    (app.parent / "link").symlink_to("/etc")
    return BuildSpec(context=str(app.parent / "link"), root=str(app.parent), where="c.yaml:3")


def _dockerfile_linked_out(app: Path) -> BuildSpec:
    (app / "Dockerfile").unlink()
    (app / "Dockerfile").symlink_to("/etc/hostname")
    return spec(app)


def _unreadable_loop(app: Path) -> BuildSpec:
    return spec(app, dockerfile="Dockerfile/x")


REFUSED: list[tuple[Callable[[Path], BuildSpec], str]] = [
    (_outside, "lies outside"),
    (_linked_out, "lies outside"),
    (_dockerfile_linked_out, "lies outside"),
    (_unreadable_loop, "there is no"),
    (lambda app: spec(app / "none"), "is not a folder"),
    (lambda app: spec(app, dockerfile="Nope"), "there is no"),
]


@pytest.mark.parametrize(("make", "said"), REFUSED)
def test_what_cannot_be_built_is_told_with_its_place_and_a_remedy(
    app: Path, make: Callable[[Path], BuildSpec], said: str
) -> None:
    with pytest.raises(ContextError) as caught, packed(make(app)):
        pass
    assert caught.value.detail.startswith("c.yaml:3: build: ")
    assert said in caught.value.detail
    assert caught.value.remedy


@pytest.mark.parametrize("limit", ["MOST_BYTES", "MOST_FILES"])
def test_a_context_has_a_limit(app: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(context, limit, 1)
    with pytest.raises(ContextError, match=r"\.dockerignore|has more than"), packed(spec(app)):
        pass


def test_the_tar_lies_where_it_is_told_to_and_is_gone_afterwards(app: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with packed(spec(app), scratch) as made:
        assert os.fstat(made.tar.fileno()).st_dev == scratch.stat().st_dev
    assert list(scratch.iterdir()) == []
