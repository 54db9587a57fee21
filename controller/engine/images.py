"""The image verbs: what set-up needs of the engine, and nothing the hub needs while it runs.

Thin I/O over docker-py's low-level client. Builds always use the classic builder, the one every
engine has and the one that needs no second protocol. Every failure leaves as a `controller.errors`
engine error.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

from docker.utils.build import exclude_paths

from controller.engine import supplies
from controller.engine.client import DockerEngine
from controller.engine.mapping import mapped_errors
from controller.engine.progress import BuildError, BuildProgress
from controller.engine.supplies import Stop
from controller.errors import EngineConflictError, EngineError, EngineNotFoundError
from controller.i18n import render

Say = Callable[[str], None]
"""Takes one line of progress for a person."""

_NEVER_SENT = ("**/__pycache__", "**/*.pyc", "**/.*_cache", "**/*.egg-info", "tests")
"""What running or testing a checkout leaves in it, and tests: none of it makes another image."""


def context_files(root: Path) -> tuple[str, ...]:
    """Paths under `root`, sorted, of the files a build sends: `.dockerignore` is honoured.

    Caches and the folder `tests` are left out in any case.
    """
    ignore = root / ".dockerignore"
    lines = ignore.read_text("utf-8").splitlines() if ignore.is_file() else []
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    found = exclude_paths(str(root), [*patterns, *_NEVER_SENT])
    return tuple(sorted(path for path in found if (root / path).is_file()))


def write_context(
    out: IO[bytes], root: Path, files: Iterable[str], extra: Mapping[str, Path]
) -> None:
    """Write a build context: `files` of `root`, then `extra` (name in the context → file).

    Times and owners are left out, so that equal contents make an equal context.
    """
    sources = {name: root / name for name in files} | dict(extra)
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, path in sorted(sources.items()):
            info = tarfile.TarInfo(name)
            status = path.stat()
            info.size = status.st_size
            info.mode = 0o755 if status.st_mode & 0o100 else 0o644
            with path.open("rb") as content:
                tar.addfile(info, content)


class Images:
    """Images of one engine. References are `repository:tag`."""

    def __init__(self, engine: DockerEngine):
        self._engine = engine
        self._api: Any = engine.api  # the stubs of docker-py leave its image calls untyped

    def id(self, ref: str) -> str | None:
        """The image's id (`sha256:…`), or None where the engine does not have it."""
        found = self._inspect(ref)
        return None if found is None else cast(str, found["Id"])

    def label(self, ref: str, name: str) -> str | None:
        """One label of an image; None where image or label is missing."""
        found = self._inspect(ref) or {}
        labels = (found.get("Config") or {}).get("Labels") or {}
        return cast("str | None", labels.get(name))

    def read(self, ref: str, path: str) -> bytes:
        """One file of an image, by way of a container that is never started."""
        with mapped_errors(f"read {path} of {ref}"):
            container = self._api.create_container(ref, command=["true"])["Id"]
            try:
                chunks, _ = self._api.get_archive(container, path)
                archive = io.BytesIO(b"".join(chunks))
            finally:
                self._api.remove_container(container, force=True)
        with tarfile.open(fileobj=archive) as tar:
            content = tar.extractfile(tar.getmembers()[0])
            if content is None:
                raise EngineError(f"{path} of {ref} is no file.")
            return content.read()

    def tag(self, ref: str, new: str) -> None:
        """Give the image a second name."""
        repository, _, tag = new.rpartition(":")
        with mapped_errors(f"tag {ref} as {new}"):
            self._api.tag(ref, repository, tag)

    def named(self, prefix: str) -> tuple[str, ...]:
        """Every reference on this engine that starts with `prefix`, sorted."""
        with mapped_errors("list images"):
            images = self._api.images()
        tags = (tag for image in images for tag in image.get("RepoTags") or ())
        return tuple(sorted(tag for tag in tags if tag.startswith(prefix)))

    def labelled(self, label: str) -> tuple[str, ...]:
        """Ids of every image that carries `label`, named or not."""
        with mapped_errors("list images"):
            return tuple(i["Id"] for i in self._api.images(filters={"label": label}))

    def superseded(self, label: str) -> tuple[str, ...]:
        """Ids of the nameless images that carry `label`, less the newest for each value of it."""
        with mapped_errors("list images"):
            found = self._api.images(filters={"label": label, "dangling": True})
        found.sort(key=lambda image: image["Created"], reverse=True)
        newest = {image["Labels"][label]: image["Id"] for image in reversed(found)}
        return tuple(image["Id"] for image in found if image["Id"] not in newest.values())

    def remove(self, ref: str) -> None:
        """Remove one name, and the image with its last name; a missing one is fine."""
        try:
            with mapped_errors(f"remove the image {ref}"):
                self._api.remove_image(ref, force=True)
        except EngineNotFoundError:
            return

    def discard(self, identity: str) -> bool:
        """Remove a nameless image unless something stands on it; whether it is gone."""
        try:
            with mapped_errors("remove an image of an earlier build"):
                self._api.remove_image(identity)
        except EngineNotFoundError:
            return True
        except EngineConflictError:
            return False
        return True

    def build(
        self,
        context: IO[bytes],
        *,
        tag: str,
        dockerfile: str,
        labels: Mapping[str, str],
        build_args: Mapping[str, str],
        say: Say,
    ) -> str:
        """Build `context` (a tar, read from its start) and answer the image's id.

        Raises EngineError with the failing step and the end of its output.
        """
        context.seek(0)
        with mapped_errors(f"build {tag}"):
            answers = self._api.build(
                fileobj=context,
                custom_context=True,
                tag=tag,
                dockerfile=dockerfile,
                labels=dict(labels),
                buildargs=dict(build_args),
                rm=True,
                forcerm=True,
                decode=True,
            )
            _follow_build(tag, answers, say)
        built = self.id(tag)
        if built is None:
            raise EngineError(f"The build of {tag} ended without an image.")
        return built

    def pull(self, ref: str, *, silence_s: int, say: Say) -> str | None:
        """Pull `ref`; its id, or None where no registry gives it or says a word for so long."""
        try:
            supplies.pull(
                self._engine, ref, None, Stop(), lambda told: say(render(told)), silence_s
            )
        except EngineError as error:
            say(error.detail)
            return None
        return self.id(ref)

    def import_tree(
        self, tree: Iterable[bytes], *, ref: str, changes: Iterable[str], labels: Mapping[str, str]
    ) -> str:
        """Make an image of one layer from a tar of a root file system, in chunks; answer its id.

        `changes` are Dockerfile instructions such as `ENV` and `CMD`.
        """
        repository, _, tag = ref.rpartition(":")
        notes = [*changes, *(f"LABEL {key}={json.dumps(value)}" for key, value in labels.items())]
        with mapped_errors(f"import {ref}"):
            self._api.import_image_from_stream(tree, repository=repository, tag=tag, changes=notes)
        made = self.id(ref)
        if made is None:
            raise EngineError(f"The import of {ref} ended without an image.")
        return made

    def _inspect(self, ref: str) -> dict[str, Any] | None:
        try:
            with mapped_errors(f"inspect the image {ref}"):
                found: dict[str, Any] = self._api.inspect_image(ref)
                return found
        except EngineNotFoundError:
            return None


def _follow_build(tag: str, answers: Iterator[dict[str, Any]], say: Say) -> None:
    """Pass the build's output on; raise with its last lines when it fails."""
    progress = BuildProgress()
    try:
        for answer in answers:
            for line in progress.lines(answer):
                say(line)
    except BuildError as error:
        place = error.step or "its start"
        raise EngineError(
            f"The build of {tag} failed at {place}: {error.detail}\n{error.output}"
        ) from error
