"""What set-up reads out of an image before it builds another on it."""

from __future__ import annotations

import pytest

from controller.engine.client import DockerEngine
from controller.engine.images import Images
from controller.errors import EngineNotFoundError
from controller.setup import debs, engine
from tests.integration.it_engine import Witness


@pytest.fixture(scope="module")
def images() -> Images:
    found = engine.connect()
    assert isinstance(found, DockerEngine)
    return Images(found)


def test_a_file_is_read_and_no_container_is_left(
    images: Images, image: str, witness: Witness
) -> None:
    status = images.read(image, debs.STATUS).decode()
    assert "\nPackage: libc6\nStatus: install ok installed\n" in f"\n{status}"
    assert not witness.api.containers.list(
        all=True, filters={"ancestor": image, "status": "created"}
    )


def test_a_file_or_an_image_that_is_not_there_is_said(images: Images, image: str) -> None:
    with pytest.raises(EngineNotFoundError):
        images.read(image, "/no/such/file")
    with pytest.raises(EngineNotFoundError):
        images.read("heal7-no-such-image:1", debs.STATUS)
