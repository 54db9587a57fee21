"""Which images are built, when, and from what; with an engine that only remembers."""

from __future__ import annotations

import io
import re
import tarfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, cast

import pytest
from rich.console import Console

from controller.engine.images import Images, context_files, write_context
from controller.errors import EngineError, SetupError
from controller.setup import base_image, debs
from controller.setup import images as image_setup
from controller.setup.images import Builder, content_hash, definitions, needed_for
from controller.setup.progress import Board
from controller.setup.system import Machine
from controller.setup.wheels import WheelStore

ROOT = Path(__file__).resolve().parents[3]
MACHINE = Machine("debian", "12", True, False, "x86_64")


class Memory:
    """Stands in for `Images`: builds instantly, and remembers in which order."""

    def __init__(self, failing: str = "") -> None:
        self.labels: dict[str, str] = {}
        self.ids: dict[str, str] = {base_image.REF: "sha256:base"}
        self.order: list[str] = []
        self.discarded: list[str] = []
        self.contexts: dict[str, list[str]] = {}
        self.failing = failing
        self._lock = threading.Lock()

    def id(self, ref: str) -> str | None:
        return self.ids.get(ref)

    def label(self, ref: str, name: str) -> str | None:
        assert name == image_setup.HASH_LABEL
        return self.labels.get(ref)

    def read(self, ref: str, path: str) -> bytes:
        assert (ref, path) == (base_image.REF, debs.STATUS)
        return b"Package: base-files\n"

    def discard(self, identity: str) -> bool:
        self.discarded.append(identity)
        return True

    def superseded(self, label: str) -> tuple[str, ...]:
        assert label == image_setup.STAGE_LABEL
        return ("sha256:old-stage",)

    def build(
        self,
        context: IO[bytes],
        *,
        tag: str,
        dockerfile: str,
        labels: Mapping[str, str],
        build_args: Mapping[str, str],
        say: Callable[[str], None],
    ) -> str:
        context.seek(0)
        with tarfile.open(fileobj=context) as tar:
            self.contexts[tag] = tar.getnames()
        assert dockerfile in self.contexts[tag]
        if tag == self.failing:
            raise EngineError(f"The build of {tag} failed")
        with self._lock:
            assert build_args["BASE"] in self.ids
            self.order.append(tag)
            self.labels[tag] = labels[image_setup.HASH_LABEL]
            self.ids[tag] = f"sha256:{tag}:{len(self.order)}"
        return self.ids[tag]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a base, a hub and two services, none of which needs a wheel."""
    for name in ("base", "hub", "one-service", "two-service"):
        home = tmp_path / "images" / name
        home.mkdir(parents=True)
        (home / "Dockerfile").write_text("FROM x\n")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "hub.txt").write_text("# nothing\n")
    return tmp_path


def build(memory: Memory, checkout: Path) -> list[str]:
    """Build everything; the references that were built."""
    board = Board(Console(file=io.StringIO()))
    wanted = definitions(checkout)
    with ThreadPoolExecutor(12) as pool:
        builder = Builder(
            cast(Images, cast(Any, memory)), MACHINE, board, wanted, WheelStore("x86_64")
        )
        builder.start(pool)
        builder.wait()
        builder.discard_replaced()
    return builder.built


def test_parents_are_built_before_children_and_a_second_run_builds_nothing(checkout: Path) -> None:
    memory = Memory()
    built = build(memory, checkout)
    assert len(built) == 4
    services = ["heal7/one-service:0.1.0", "heal7/two-service:0.1.0"]
    assert all(
        memory.order.index(image_setup.SERVICE_BASE) < memory.order.index(s) for s in services
    )
    assert build(memory, checkout) == []


def test_a_change_rebuilds_what_it_touches_and_what_stands_on_it(checkout: Path) -> None:
    memory = Memory()
    build(memory, checkout)
    before = memory.ids["heal7/one-service:0.1.0"]
    assert memory.discarded == ["sha256:old-stage"]
    assert build(memory, checkout) == []
    assert memory.discarded == ["sha256:old-stage"]
    (checkout / "images" / "one-service" / "app.py").write_text("x = 1\n")
    # The hub's context is the whole checkout here, so the hub is built anew too.
    assert set(build(memory, checkout)) == {"heal7/one-service:0.1.0", image_setup.HUB}
    assert before in memory.discarded
    (checkout / ".dockerignore").write_text("*\n!images/hub\n")
    build(memory, checkout)
    (checkout / "images" / "base" / "Dockerfile").write_text("FROM y\n")
    assert set(build(memory, checkout)) == {
        image_setup.SERVICE_BASE,
        "heal7/one-service:0.1.0",
        "heal7/two-service:0.1.0",
    }


def test_debian_packages_are_in_the_context_of_who_names_them(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deb = tmp_path / "elsewhere.deb"
    deb.write_bytes(b"deb")
    asked: list[tuple[Path, bytes]] = []

    def fetch(packages: Path, status: bytes, *rest: object) -> dict[str, Path]:
        asked.append((packages, status))
        return {"a_1_amd64.deb": deb}

    monkeypatch.setattr(debs, "fetch", fetch)
    memory = Memory()
    packages = checkout / "images" / "one-service" / "packages.txt"
    packages.write_text("tesseract-ocr\n")
    build(memory, checkout)
    assert asked == [(packages, b"Package: base-files\n")]
    assert "debs/a_1_amd64.deb" in memory.contexts["heal7/one-service:0.1.0"]
    assert not any("debs/" in name for name in memory.contexts["heal7/two-service:0.1.0"])
    packages.write_text("tesseract-ocr\nfonts-nanum\n")
    assert "heal7/one-service:0.1.0" in build(memory, checkout)


def test_a_failed_parent_is_told_once_and_others_are_built_all_the_same(checkout: Path) -> None:
    memory = Memory(failing=image_setup.SERVICE_BASE)
    with pytest.raises(EngineError, match=r"The build of heal7/service-base:latest failed\Z"):
        build(memory, checkout)
    assert memory.order == [image_setup.HUB]


def test_tests_and_caches_make_no_other_image(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("x = 1\n")
    before = context_files(tmp_path)
    for left in ("tests/test_app.py", "pkg/__pycache__/app.pyc", ".mypy_cache/x.json"):
        (tmp_path / left).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / left).write_text("left behind")
    assert context_files(tmp_path) == before == ("app.py",)


def test_the_hash_knows_names_modes_contents_and_parent(tmp_path: Path) -> None:
    file = tmp_path / "run"
    file.write_text("a")
    first = content_hash(tmp_path, ["run"], "sha256:p")
    assert first == content_hash(tmp_path, ["run"], "sha256:p")
    assert first != content_hash(tmp_path, ["run"], "sha256:q")
    file.chmod(0o755)
    runnable = content_hash(tmp_path, ["run"], "sha256:p")
    file.write_text("b")
    assert len({first, runnable, content_hash(tmp_path, ["run"], "sha256:p")}) == 3


def test_a_context_holds_files_and_wheels_and_no_times(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    wheel = tmp_path / "elsewhere.whl"
    wheel.write_bytes(b"wheel")
    out = io.BytesIO()
    write_context(out, tmp_path, ["Dockerfile"], {"wheels/a.whl": wheel})
    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        assert {(m.name, m.mtime, m.uid) for m in tar} == {
            ("Dockerfile", 0, 0),
            ("wheels/a.whl", 0, 0),
        }


def test_a_stack_that_names_none_of_our_services_needs_the_hub_alone(checkout: Path) -> None:
    known = definitions(checkout)
    assert [d.ref for d in needed_for({"nginx:1"}, known)] == [image_setup.HUB]
    wanted = {d.name for d in needed_for({"heal7/one-service:0.1.0"}, known)}
    assert wanted == {"service-base", "hub", "one-service"}


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no image definitions"):
        definitions(tmp_path)


def test_the_images_version_is_the_projects() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert re.search(r'(?m)^version = "(.+)"', text).group(1) == image_setup.VERSION  # type: ignore[union-attr]


def test_every_stage_that_is_no_image_says_whose_it_is() -> None:
    for dockerfile in ROOT.glob("images/*/Dockerfile"):
        stages = re.split(r"(?m)^FROM ", dockerfile.read_text("utf-8"))[1:]
        owner = "service-base" if dockerfile.parent.name == "base" else dockerfile.parent.name
        for stage in stages[:-1]:
            name = re.match(r"\S+ AS (\w+)\n", stage)
            assert name is not None, stage
            assert f"LABEL {image_setup.STAGE_LABEL}={owner}/{name[1]}\n" in stage, dockerfile


def test_locks_hold_hashes_and_no_address_and_fit_every_python() -> None:
    locks = [*ROOT.glob("requirements/*.txt"), *ROOT.glob("images/*/requirements.txt")]
    assert len(locks) >= 4
    for lock in locks:
        text = lock.read_text("utf-8")
        assert "://" not in text, lock
        assert "--hash=sha256:" in text or "==" not in text, lock
        # Wheels for the images are chosen by the host's Python, which may be another version.
        assert "python_version" not in text, lock
        assert "python_full_version" not in text, lock
