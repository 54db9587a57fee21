"""Building on the real engine: what shares layers, what is built again, and what a build leaves.

The images are the project's own under other names, so that nothing of the home stack changes. What
it was built of before, the engine takes from its cache.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import docker
import pytest
from rich.console import Console

from controller.engine.client import DockerEngine
from controller.engine.images import Images
from controller.setup import base_image, system
from controller.setup import engine as engine_setup
from controller.setup.images import CHECKOUT, STAGE_LABEL, Builder, ImageDef, definitions
from controller.setup.progress import Board
from controller.setup.wheels import WheelStore
from tests.integration.it_engine import Witness

NAMES = ("service-base", "saju-service", "ai-monitoring-service")
PREFIX = f"heal7-it-images-{os.getpid()}"
Layers = list[str]


@dataclass(frozen=True, slots=True)
class Workshop:
    """A copy of the checkout's images, and an engine to build them on."""

    checkout: Path
    engine: DockerEngine
    api: docker.DockerClient

    def wanted(self) -> list[ImageDef]:
        """The base and two services, under names of this test."""
        return [
            replace(found, ref=_ours(found.ref), parent=_ours(found.parent))
            for found in definitions(self.checkout)
            if found.name in NAMES
        ]

    def build(self) -> set[str]:
        """Build what is not current; the names of what was built."""
        machine = system.detect()
        board = Board(Console(file=io.StringIO()))
        wanted = self.wanted()
        with ThreadPoolExecutor(12) as pool:
            store = WheelStore(machine.machine)
            builder = Builder(Images(self.engine), machine, board, wanted, store)
            builder.start(pool)
            builder.wait()
            builder.discard_replaced()
        return {found.name for found in wanted if found.ref in builder.built}

    def layers(self, name: str) -> Layers:
        (found,) = [one for one in self.wanted() if one.name == name]
        layers: Layers = self.api.images.get(found.ref).attrs["RootFS"]["Layers"]
        return layers

    def stages(self) -> dict[str, list[str]]:
        """Ids of the nameless stages of these images, by whose they are."""
        filters = {"label": STAGE_LABEL, "dangling": True}
        found: dict[str, list[str]] = {}
        for image in self.api.images.list(filters=filters):
            found.setdefault(image.labels[STAGE_LABEL], []).append(str(image.id))
        return {stage: ids for stage, ids in found.items() if stage.startswith(NAMES)}


def _ours(ref: str) -> str:
    if ref == base_image.REF:
        return ref
    return f"{PREFIX}/{ref.rpartition('/')[2]}"


@pytest.fixture
def workshop(witness: Witness, tmp_path: Path) -> Iterator[Workshop]:
    shutil.copytree(CHECKOUT / "images", tmp_path / "images")
    (tmp_path / "requirements").mkdir()
    engine = engine_setup.connect()
    assert engine is not None
    made = Workshop(tmp_path, engine, witness.api)
    try:
        yield made
    finally:
        for found in reversed(made.wanted()):
            Images(engine).remove(found.ref)
        engine.close()


def test_only_what_changed_is_built_again_and_only_its_last_layer(workshop: Workshop) -> None:
    assert workshop.build() == set(NAMES)
    base = workshop.layers("service-base")
    before = {name: workshop.layers(name) for name in NAMES}
    for name in NAMES[1:]:
        shared, own = before[name][: len(base)], before[name][len(base) :]
        assert shared == base, name
        # Its libraries and its code.
        assert len(own) == 2, name
    assert workshop.build() == set()

    code = workshop.checkout / "images/saju-service/saju_service/__init__.py"
    code.write_text(code.read_text("utf-8") + f"\nCHANGED_BY = {os.getpid()}\n", "utf-8")
    assert workshop.build() == {"saju-service"}
    after = workshop.layers("saju-service")
    assert after[:-1] == before["saju-service"][:-1]
    assert after[-1] != before["saju-service"][-1]
    assert workshop.layers("ai-monitoring-service") == before["ai-monitoring-service"]
    # The stage that the first build left has gone with its image.
    assert {stage: len(ids) for stage, ids in workshop.stages().items()} == dict.fromkeys(
        ("service-base/build", "saju-service/deps", "ai-monitoring-service/deps"), 1
    )


def test_the_home_stacks_images_stand_on_one_base(witness: Witness) -> None:
    def layers(ref: str) -> Layers:
        found: Layers = witness.api.images.get(ref).attrs["RootFS"]["Layers"]
        return found

    known = {found.name: found for found in definitions()}
    base = layers(known.pop("service-base").ref)
    del known["hub"]
    assert len(known) == 5
    for found in known.values():
        assert layers(found.ref)[: len(base)] == base, found.ref
