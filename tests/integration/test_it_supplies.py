"""Pulling and building on the real engine: what is told meanwhile, how it fails and is ended."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import docker.errors
import pytest

from controller import clock
from controller.engine import supplies
from controller.engine.client import DockerEngine
from controller.engine.images import Images
from controller.engine.progress import BuildError
from controller.engine.supplies import (
    PullError,
    SilentRegistryError,
    Stop,
    StoppedError,
)
from controller.errors import EngineError
from controller.model.build import BuildSpec
from controller.model.text import Text
from tests.integration.it_engine import Json, Witness
from tests.integration.it_registry import Registry, running_registry
from tests.integration.it_wait import eventually

NAME = f"heal7-it-supplies-{os.getpid()}"


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    made = DockerEngine()
    yield made
    made.close()


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as made:
        yield made


@pytest.fixture(autouse=True)
def _swept(witness: Witness) -> Iterator[None]:
    yield
    tags = [tag for image in witness.api.images.list() for tag in image.tags if NAME in tag]
    witness.remove_images(f"made-by={NAME}", *tags)


def _ignore(_: Text) -> None:
    """Nobody listens."""


def _in_thread(work: Callable[[], None]) -> tuple[threading.Thread, list[EngineError]]:
    failed: list[EngineError] = []

    def run() -> None:
        try:
            work()
        except EngineError as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, failed


def test_a_pull_brings_the_image_and_tells_how_far_it_is(
    engine: DockerEngine, registry: Registry, witness: Witness
) -> None:
    ref = registry.put(NAME, "1", "one", padding=300_000)
    told: list[Text] = []
    supplies.pull(engine, ref, "linux/amd64", Stop(), told.append)
    assert witness.api.images.get(ref).attrs["Config"]["Cmd"] == ["/wait"]
    assert {said.key for said in told} == {"phase.pulling"}
    assert told[-1].params["done"] == told[-1].params["layers"] == 1


REFUSALS = [("nothing", "1", "manifest unknown"), ("denied", "1", "denied")]


@pytest.mark.parametrize(("name", "tag", "said"), REFUSALS)
def test_a_registry_that_refuses_is_quoted(
    engine: DockerEngine, registry: Registry, name: str, tag: str, said: str
) -> None:
    with pytest.raises(PullError, match=said):
        supplies.pull(engine, f"{registry.address}/{name}:{tag}", None, Stop(), _ignore)


def test_where_there_is_no_registry_that_is_said(engine: DockerEngine) -> None:
    with pytest.raises(PullError, match="refused"):
        supplies.pull(engine, "127.0.0.1:9/a:1", None, Stop(), _ignore)


def test_a_registry_that_never_answers_is_not_waited_for_for_ever(
    engine: DockerEngine, registry: Registry
) -> None:
    with pytest.raises(SilentRegistryError):
        supplies.pull(engine, f"{registry.address}/silent:1", None, Stop(), _ignore, silence_s=1)
    assert registry.waiting.is_set()


def test_set_up_pulls_too_and_goes_on_where_nobody_has_the_image(
    engine: DockerEngine, registry: Registry, witness: Witness
) -> None:
    ref = registry.put(NAME, "2", "two")
    said: list[str] = []
    assert Images(engine).pull(ref, silence_s=5, say=said.append) == witness.api.images.get(ref).id
    assert said[-1] == "Pulling its image: 1 of 1 layers, 0.0 of 0.0 MiB."
    nowhere = f"{registry.address}/nobody:1"
    assert Images(engine).pull(nowhere, silence_s=5, say=said.append) is None
    assert "manifest unknown" in said[-1]


def test_a_pull_can_be_ended(engine: DockerEngine, registry: Registry) -> None:
    ref = registry.put(f"slow-{NAME}", "1", "one", padding=3_000_000)
    stop, loading = Stop(), threading.Event()

    def told(said: Text) -> None:
        if said.params["size"]:
            loading.set()

    thread, failed = _in_thread(lambda: supplies.pull(engine, ref, None, stop, told))
    assert loading.wait(60)
    begun = clock.monotonic()
    stop.now()
    thread.join(60)
    assert [type(error) for error in failed] == [StoppedError]
    assert clock.monotonic() - begun < 5
    # Nobody wants it any more, so the engine does not load the rest of it.
    assert registry.left.wait(60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    return tmp_path / "app"


def _spec(folder: Path, image: str, *lines: str) -> BuildSpec:
    (folder / "Dockerfile").write_text("\n".join((f"FROM {image}", *lines, "")))
    labels = (("made-by", NAME),)
    return BuildSpec(str(folder), str(folder.parent), where="compose.yaml:3", labels=labels)


def _build(engine: DockerEngine, spec: BuildSpec, tag: str = "1") -> list[Text]:
    told: list[Text] = []
    supplies.build(engine, spec, f"{NAME}:{tag}", None, Stop(), told.append)
    return told


def _config(witness: Witness, tag: str = "1") -> Json:
    found: Json = witness.api.images.get(f"{NAME}:{tag}").attrs["Config"]
    return found


def test_args_target_labels_and_tags_reach_the_builder(
    engine: DockerEngine, folder: Path, image: str, witness: Witness
) -> None:
    spec = _spec(
        folder,
        f"{image} AS one",
        'ARG WHO=nobody\nENV SAID="hello $WHO"',
        "FROM one AS two\nENV SAID=never",
    )
    spec = replace(
        spec,
        target="one",
        args=(("WHO", "you"),),
        labels=(*spec.labels, ("own", "x")),
        tags=(f"{NAME}:other", f"{NAME}-bare"),
        platform="linux/amd64",
    )
    told = _build(engine, spec)
    found = _config(witness)
    assert "SAID=hello you" in found["Env"]
    assert found["Labels"]["own"] == "x"
    assert found == _config(witness, "other")
    assert witness.api.images.get(f"{NAME}-bare:latest").attrs["Config"] == found
    assert told[0].key == "phase.reading_context"
    assert {said.key for said in told[1:]} == {"phase.building"}
    assert told[-1].params["of"] == 5


def test_hosts_and_memory_of_a_build_are_as_asked(
    engine: DockerEngine, folder: Path, image: str
) -> None:
    checks = "grep -q '10.0.0.9.*far' /etc/hosts && df -k /dev/shm | grep -q 131072"
    spec = replace(
        _spec(folder, image, f"RUN {checks}"),
        extra_hosts=("far:10.0.0.9",),
        shm_size=128 << 20,
        network="none",
    )
    _build(engine, spec)


def test_an_inline_dockerfile_and_its_context_without_what_is_ignored(
    engine: DockerEngine, folder: Path, image: str
) -> None:
    (folder / "kept").write_text("kept")
    (folder / "secret.txt").write_text("no")
    (folder / "empty").mkdir()
    (folder / "link").symlink_to("/etc/hostname")
    (folder / ".dockerignore").write_text("*.txt\n")
    listing = "RUN ls -A /all | sort | tr '\\n' ' ' | grep -qx '.dockerignore empty kept link '"
    inline = f"FROM {image}\nCOPY . /all\n{listing}\nRUN test -L /all/link"
    _build(engine, BuildSpec(str(folder), str(folder.parent), inline=inline))


def test_a_failing_step_is_named_with_the_end_of_its_output(
    engine: DockerEngine, folder: Path, image: str, witness: Witness
) -> None:
    spec = _spec(folder, image, "RUN echo before && echo the disk is locked && exit 7")
    with pytest.raises(BuildError) as caught:
        _build(engine, spec)
    assert "code: 7" in caught.value.detail
    assert caught.value.step.startswith("Step 2/3 : RUN echo before")
    assert caught.value.output.endswith("the disk is locked")
    with pytest.raises(docker.errors.ImageNotFound):
        _config(witness)


def test_a_step_that_says_nothing_is_not_waited_for_for_ever(
    engine: DockerEngine, folder: Path, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supplies, "BUILD_SILENCE_S", 2)
    spec = _spec(folder, image, f"RUN echo begun {clock.new_id('x')} && sleep 600")
    with pytest.raises(BuildError, match="said nothing for 2 s") as caught:
        _build(engine, spec)
    assert caught.value.output.splitlines()[-1].startswith("begun ")


def test_a_build_can_be_ended(engine: DockerEngine, folder: Path, image: str) -> None:
    spec = _spec(folder, image, f"RUN echo begun {clock.new_id('x')} && sleep 600")
    stop, sleeping = Stop(), threading.Event()

    def told(said: Text) -> None:
        if str(said.params.get("line", "")).startswith("begun"):
            sleeping.set()

    thread, failed = _in_thread(lambda: supplies.build(engine, spec, f"{NAME}:1", None, stop, told))
    assert sleeping.wait(60), failed
    begun = clock.monotonic()
    stop.now()
    thread.join(60)
    assert [type(error) for error in failed] == [StoppedError]
    assert clock.monotonic() - begun < 5


def test_the_same_folder_gives_the_same_image(
    engine: DockerEngine, folder: Path, image: str, witness: Witness
) -> None:
    spec = _spec(folder, image, "COPY . /app")
    (folder / "code").write_text("one")
    _build(engine, spec)
    first = witness.api.images.get(f"{NAME}:1").id
    _build(engine, spec)
    assert witness.api.images.get(f"{NAME}:1").id == first
    (folder / "code").write_text("two")
    _build(engine, spec)
    assert witness.api.images.get(f"{NAME}:1").id != first


def test_a_context_at_an_address_is_fetched_by_the_engine(
    engine: DockerEngine, image: str, registry: Registry, witness: Witness
) -> None:
    address = registry.put_dockerfile(f"FROM {image}\nENV FROM_FAR=1\n")
    _build(engine, BuildSpec(address, "/nowhere", is_remote=True))
    eventually(lambda: "FROM_FAR=1" in _config(witness)["Env"])
