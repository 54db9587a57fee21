"""Pulls and builds the images of a stack: the two calls to the engine that may take many minutes.

Each runs on a connection of its own, whose silence is bounded and which another thread may cut: the
engine ends a pull or a build when whoever asked for it is gone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import docker
import requests
import urllib3
from docker.types import CancellableStream
from docker.utils import parse_repository_tag

from controller.engine.client import DockerEngine
from controller.engine.context import packed
from controller.engine.mapping import mapped_errors
from controller.engine.progress import BuildProgress, PullProgress
from controller.errors import EngineError, EngineUnreachableError
from controller.model.build import BuildSpec
from controller.model.text import Text, text

PULL_SILENCE_S = 60
"""A pull in which nothing at all has been heard for so long is given up."""
BUILD_SILENCE_S = 3600
"""The same of a build: one step may compile for long without a word."""

_SILENCE = (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError)

Told = Callable[[Text], None]
"""Takes how far it is; called from another thread than the event loop's."""


class PullError(EngineError):
    """No registry gave the image; `detail` are its own words."""


class SilentRegistryError(PullError):
    """Nobody answered in time."""


class StoppedError(EngineError):
    """It was ended because somebody asked for that."""


class Stop:
    """Ends a pull or a build from another thread. Once asked for, it stays so."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cut: Callable[[], None] | None = None
        self.asked = False

    def now(self) -> None:
        """End it. Safe to call at any time, and more than once."""
        with self._lock:
            self.asked = True
            cut, self._cut = self._cut, None
        if cut is not None:
            cut()

    def arm(self, cut: Callable[[], None]) -> None:
        """Say how to end what is under way; done at once where it was asked for before."""
        with self._lock:
            self._cut = None if self.asked else cut
        if self.asked:
            cut()


class _Client(docker.APIClient):
    """docker-py's client, with a bound on silence for the calls that have none, and a way to the
    answer under way."""

    def __init__(self, options: Mapping[str, Any], silence_s: int, stop: Stop):
        super().__init__(**options, timeout=silence_s, num_pools=1)
        self._stop = stop

    def _post(self, url: str, **more: Any) -> requests.Response:
        # docker-py asks for no timeout at all here, for pulls and builds alike.
        more["timeout"] = self.timeout
        answer: requests.Response = cast(Any, super())._post(url, **more)
        self._stop.arm(lambda: _cut(answer))
        return answer


def _cut(answer: requests.Response) -> None:
    # What has ended by itself meanwhile has no socket any more.
    with suppress(OSError, AttributeError):
        cast(Any, CancellableStream)(iter(()), answer).close()


def pull(
    engine: DockerEngine,
    image: str,
    platform: str | None,
    stop: Stop,
    told: Told,
    silence_s: int = PULL_SILENCE_S,
) -> None:
    """Pull one image. Raises PullError, SilentRegistryError, StoppedError, EngineError."""
    progress = PullProgress()
    with _client(engine, silence_s, stop) as client:
        try:
            with mapped_errors(f"pulling {image}"):
                for line in client.pull(image, stream=True, decode=True, platform=platform):
                    if "error" in line:
                        raise PullError(str(line["error"]).strip())
                    told(progress.next(line))
        except EngineUnreachableError as error:
            if _was_silence(engine, error):
                raise SilentRegistryError(f"nobody answered for {image}") from error
            raise
        except PullError:
            raise
        except EngineError as error:
            raise PullError(error.detail.removeprefix(f"pulling {image}: ")) from error


def build(
    engine: DockerEngine,
    spec: BuildSpec,
    image: str,
    scratch: Path | None,
    stop: Stop,
    told: Told,
) -> None:
    """Build one image under its name and its other tags. `scratch` is where its context may lie.

    Raises ContextError, BuildError, StoppedError, EngineError.
    """
    progress = BuildProgress()
    with _client(engine, BUILD_SILENCE_S, stop) as client, _given(spec, scratch, told) as given:
        try:
            with mapped_errors(f"building {image}"):
                for answer in client.build(**given, **_options(spec, image), decode=True):
                    progress.lines(answer)
                    told(progress.told())
        except EngineUnreachableError as error:
            if _was_silence(engine, error):
                raise progress.error(f"it said nothing for {BUILD_SILENCE_S} s") from error
            raise
        for other in spec.tags:
            repository, tag = parse_repository_tag(other)
            with mapped_errors(f"tagging {image} as {other}"):
                client.tag(image, repository, tag or "latest")


def _was_silence(engine: DockerEngine, error: EngineUnreachableError) -> bool:
    """Whether only what was asked for is silent. Raises EngineError where the engine is, too."""
    return isinstance(error.__cause__, _SILENCE) and engine.ping()


@contextmanager
def _client(engine: DockerEngine, silence_s: int, stop: Stop) -> Iterator[Any]:
    """A client for one call; whatever breaks because that was stopped is StoppedError."""
    with mapped_errors("connecting to the engine"):
        client = _Client(engine.options(), silence_s, stop)
    try:
        yield client
    except Exception as error:
        if stop.asked:
            raise StoppedError("it was stopped") from error
        raise
    finally:
        client.close()
    if stop.asked:
        # A connection that is cut may look like an end.
        raise StoppedError("it was stopped")


@contextmanager
def _given(spec: BuildSpec, scratch: Path | None, told: Told) -> Iterator[dict[str, Any]]:
    """What docker-py is to build."""
    if spec.is_remote:
        yield {"path": spec.context, "dockerfile": spec.dockerfile}
        return
    told(text("phase.reading_context"))
    with packed(spec, scratch) as context:
        yield {"fileobj": context.tar, "custom_context": True, "dockerfile": context.dockerfile}


def _options(spec: BuildSpec, image: str) -> dict[str, Any]:
    hosts = dict(line.split(":", 1) for line in spec.extra_hosts)
    return {
        "tag": image,
        "buildargs": dict(spec.args),
        "labels": dict(spec.labels),
        "target": spec.target,
        "network_mode": spec.network,
        "extra_hosts": hosts or None,
        "shmsize": spec.shm_size,
        "cache_from": list(spec.cache_from) or None,
        "platform": spec.platform,
        "isolation": spec.isolation,
        "pull": spec.pull,
        "nocache": spec.no_cache,
        "rm": True,
        "forcerm": True,
    }
