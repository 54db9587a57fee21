"""Which images the home stack needs, and building only those that changed.

An image carries the hash of everything it was made of (`heal7.build.hash`: files, Dockerfile,
lock, its parent's id). The same hash means there is nothing to do, which is what makes a second
`heal7 up` quick. Images wait for their parents only, and at most two build at once.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from controller import __version__
from controller.engine.images import Images, Say, context_files, write_context
from controller.errors import HubError, SetupError
from controller.setup import base_image, debs
from controller.setup.progress import Board
from controller.setup.system import Machine
from controller.setup.wheels import WheelStore

CHECKOUT = Path(__file__).resolve().parents[2]
VERSION = __version__
HASH_LABEL = "heal7.build.hash"
STAGE_LABEL = "heal7.stage"
PREFIX = "heal7/"
SERVICE_BASE = "heal7/service-base:latest"
HUB = f"heal7/hub:{VERSION}"
_FORM = b"1"  # raise it when the way images are built changes in itself
_AT_ONCE = 2
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True, slots=True)
class ImageDef:
    """One image: where its files are and what it stands on. `dockerfile` is inside `context`.

    `packages` names what it needs of Debian, as `lock` does of Python.
    """

    name: str
    ref: str
    context: Path
    dockerfile: str
    lock: Path | None
    parent: str
    packages: Path | None = None


def definitions(checkout: Path = CHECKOUT) -> tuple[ImageDef, ...]:
    """The images of a checkout, parents first: the services' base, the hub, then each service.

    Raises SetupError where the folder is no checkout.
    """
    folder = checkout / "images"
    if not (folder / "base" / "Dockerfile").is_file():
        raise SetupError(
            f"{folder} holds no image definitions.",
            remedy="Run heal7 from a checkout of the project (`make up` there).",
        )
    found = [
        ImageDef(
            "service-base",
            SERVICE_BASE,
            folder / "base",
            "Dockerfile",
            _lock(folder / "base" / "requirements.txt"),
            base_image.REF,
        ),
        ImageDef(
            "hub",
            HUB,
            checkout,
            "images/hub/Dockerfile",
            _lock(checkout / "requirements" / "hub.txt"),
            base_image.REF,
        ),
    ]
    for dockerfile in sorted(folder.glob("*/Dockerfile")):
        home = dockerfile.parent
        if home.name not in ("base", "hub"):
            ref = f"{PREFIX}{home.name}:{VERSION}"
            lock = _lock(home / "requirements.txt")
            packages = home / "packages.txt"
            found.append(
                ImageDef(
                    home.name,
                    ref,
                    home,
                    "Dockerfile",
                    lock,
                    SERVICE_BASE,
                    packages if packages.is_file() else None,
                )
            )
    return tuple(found)


def _lock(path: Path) -> Path | None:
    """The lock, unless it is missing or names no package."""
    if not path.is_file():
        return None
    lines = (line.strip() for line in path.read_text("utf-8").splitlines())
    return path if any(line and not line.startswith("#") for line in lines) else None


def content_hash(root: Path, files: Iterable[str], parent_id: str) -> str:
    """64 hex digits over names, modes and contents of the context, and the parent's id."""
    digest = hashlib.sha256(_FORM + parent_id.encode())
    for name in files:
        path = root / name
        runs = b"x" if path.stat().st_mode & 0o100 else b"-"
        content = hashlib.sha256(path.read_bytes()).digest()
        digest.update(name.encode() + b"\0" + runs + content)
    return digest.hexdigest()


def is_current(images: Images, definition: ImageDef) -> bool:
    """Whether the image is here and made of exactly what the checkout holds now."""
    parent_id = images.id(definition.parent)
    if parent_id is None:
        return False
    try:
        wanted = content_hash(definition.context, context_files(definition.context), parent_id)
    except FileNotFoundError:
        return False  # the checkout is changing under us: certainly not what was built
    return images.label(definition.ref, HASH_LABEL) == wanted


def needed_for(stack_images: Collection[str], known: Sequence[ImageDef]) -> tuple[ImageDef, ...]:
    """The hub, the services whose images a stack names, and what those stand on."""
    services = [d for d in known if d.parent == SERVICE_BASE and d.ref in stack_images]
    wanted = {HUB, *(d.ref for d in services)} | ({SERVICE_BASE} if services else set())
    return tuple(d for d in known if d.ref in wanted)


class Builder:
    """Builds a set of images, each as soon as its parent and its wheels are there.

    `start()` answers at once; `future(ref)` is the id of that image when it is done.
    """

    def __init__(
        self,
        images: Images,
        machine: Machine,
        board: Board,
        wanted: Sequence[ImageDef],
        store: WheelStore,
    ):
        self._images = images
        self._machine = machine
        self._board = board
        self._wanted = wanted
        self._store = store
        self._slots = threading.Semaphore(_AT_ONCE)
        self._futures: dict[str, Future[str]] = {}
        self._debs: dict[str, Future[dict[str, Path]]] = {}
        self._replaced: list[str] = []
        self.built: list[str] = []

    def start(self, pool: ThreadPoolExecutor) -> None:
        """Begin. The pool must have room for two threads an image and two more."""
        stale = [d for d in self._wanted if not is_current(self._images, d)]
        self._store.prefetch([d.lock for d in stale if d.lock], pool, self._board)
        self._futures[base_image.REF] = pool.submit(self._base)
        for definition in stale:
            if definition.packages:
                self._debs[definition.ref] = pool.submit(self._fetch_debs, definition.packages)
        for definition in self._wanted:
            self._futures[definition.ref] = pool.submit(self._image, definition)

    def future(self, ref: str) -> Future[str]:
        return self._futures[ref]

    def wait(self) -> dict[str, str]:
        """Wait for all. Answers reference → id; raises the first failure of each kind, joined."""
        wait(self._futures.values())
        raise_all(self._futures.values())
        return {ref: future.result() for ref, future in self._futures.items()}

    def discard_replaced(self) -> None:
        """Remove the images that new ones took the name of, unless a container still runs one.

        Of the nameless stages that the Dockerfiles build in, the newest of each stays: from it the
        next build takes every step that nothing has changed.
        """
        stages = self._images.superseded(STAGE_LABEL) if self.built else ()
        for identity in [*self._replaced, *stages]:
            self._images.discard(identity)

    def _base(self) -> str:
        found = self._images.id(base_image.REF)
        if found is not None:
            return found
        with self._board.phase("base image") as phase:
            return base_image.make(self._images, self._machine, phase.say)

    def _fetch_debs(self, packages: Path) -> dict[str, Path]:
        """What is missing in the base image; fetched beside the building of what stands on it."""
        self._futures[base_image.REF].result()
        status = self._images.read(base_image.REF, debs.STATUS)
        with self._board.phase("debian packages") as phase:
            return debs.fetch(packages, status, self._machine, phase.say)

    def _packages(self, definition: ImageDef) -> dict[str, Path]:
        if definition.packages is None:
            return {}
        future = self._debs.get(definition.ref)
        return self._fetch_debs(definition.packages) if future is None else future.result()

    def _image(self, definition: ImageDef) -> str:
        parent_id = self._futures[definition.parent].result()
        here = self._images.id(definition.ref)
        if here is not None and is_current(self._images, definition):
            return here
        wheels = self._store.get(definition.lock, _quiet) if definition.lock else {}
        packages = self._packages(definition)
        extra = {f"wheels/{name}": path for name, path in wheels.items()} | {
            f"debs/{name}": path for name, path in packages.items()
        }
        with self._slots, self._board.phase(f"image {definition.name}") as phase:
            built = self._build(definition, parent_id, extra, phase.say)
            self.built.append(definition.ref)
            if here is not None and here != built:
                self._replaced.append(here)
            return built

    def _build(
        self, definition: ImageDef, parent_id: str, extra: Mapping[str, Path], say: Say
    ) -> str:
        proxies = {name: os.environ[name] for name in _PROXIES if os.environ.get(name)}
        with tempfile.TemporaryFile() as context:
            try:
                files = context_files(definition.context)
                digest = content_hash(definition.context, files, parent_id)
                write_context(context, definition.context, files, extra)
            except FileNotFoundError as error:
                raise SetupError(
                    f"{error.filename} went away while {definition.ref} was being built.",
                    remedy="Run it again when nothing changes the checkout any more.",
                ) from error
            return self._images.build(
                context,
                tag=definition.ref,
                dockerfile=definition.dockerfile,
                labels={HASH_LABEL: digest},
                build_args={"BASE": definition.parent, **proxies},
                say=say,
            )


def _quiet(line: str) -> None:
    """For work that has no line of its own on the board."""


def raise_all(futures: Iterable[Future[str]]) -> None:
    """Raise what went wrong, each cause once; programming errors go up as they are."""
    errors: list[HubError] = []
    for future in futures:
        error = future.exception()
        if error is None or error in errors:
            continue
        if not isinstance(error, HubError):
            raise error
        errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        remedies = dict.fromkeys(e.remedy for e in errors if e.remedy)
        raise SetupError(
            "\n".join(error.detail for error in errors), remedy=" ".join(remedies) or None
        )
