"""What of Debian goes into an image: from where, asked how, and never half."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from controller.engine.images import Say
from controller.errors import SetupError
from controller.setup import archives, debs, system
from controller.setup.system import Machine

MACHINE = Machine("debian", "12", True, False, "x86_64")
LISTED = (
    "http://mirror.example/debian\tDebian\tDebian\n"
    "http://mirror.example/debian-security/\tDebian\tDebian-Security\n"
    "https://other.example/apt\tOther\tOther\n"
)


class Apt:
    """Stands in for apt-get: remembers what it was asked, and leaves the packages it is told to."""

    def __init__(self, fetched: Sequence[str]):
        self.fetched = fetched
        self.asked: list[list[str]] = []

    def __call__(
        self,
        command: Sequence[str],
        say: Say,
        *,
        doing: str,
        remedy: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.asked.append(list(command))
        archives_folder = next(
            Path(part.partition("=")[2]) for part in command if part.startswith("Dir::Cache::arch")
        )
        if "--download-only" in command:
            for name in self.fetched:
                (archives_folder / name).write_bytes(b"deb")


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Apt:
    fake = Apt(["tesseract_1%3a5_amd64.deb", "libc_2_amd64.deb"])
    monkeypatch.setattr(system, "run", fake)
    monkeypatch.setattr(system, "have", lambda program: True)
    monkeypatch.setattr(archives, "index_targets", lambda: LISTED)
    monkeypatch.setattr(archives, "keyring", lambda: Path("/keys.gpg"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return fake


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    path = tmp_path / "one-service" / "packages.txt"
    path.parent.mkdir()
    path.write_text("# why\ntesseract-ocr\n\nfonts-nanum  # Korean\n")
    return path


def quiet(line: str) -> None:
    pass


def test_the_images_debian_comes_from_the_hosts_own_mirrors() -> None:
    assert debs.sources(LISTED, Path("/keys.gpg")) == (
        "deb [signed-by=/keys.gpg] http://mirror.example/debian trixie main\n"
        "deb [signed-by=/keys.gpg] http://mirror.example/debian-security trixie-security main\n"
    )
    assert debs.sources("https://other.example/apt\tOther\tOther\n", None) is None
    assert debs.sources("file:///srv/debian\tDebian\tDebian\n", None) == (
        "deb copy:///srv/debian trixie main\n"
    )


def test_what_the_base_image_lacks_is_fetched_once(apt: Apt, packages: Path) -> None:
    found = debs.fetch(packages, b"Package: libfoo\n", MACHINE, quiet)
    assert sorted(found) == ["libc_2_amd64.deb", "tesseract_1%3a5_amd64.deb"]
    assert all(path.read_bytes() == b"deb" for path in found.values())
    update, install = apt.asked
    assert update[-1] == "update"
    assert install[-2:] == ["tesseract-ocr", "fonts-nanum"]
    assert "APT::Architecture=amd64" in install
    assert debs.fetch(packages, b"Package: libfoo\n", MACHINE, quiet) == found
    assert len(apt.asked) == 2
    debs.fetch(packages, b"Package: libbar\n", MACHINE, quiet)
    assert len(apt.asked) == 4


def test_apt_that_fetches_nothing_leaves_nothing(apt: Apt, packages: Path, tmp_path: Path) -> None:
    apt.fetched = ()
    with pytest.raises(SetupError, match="download tesseract-ocr fonts-nanum for one-service"):
        debs.fetch(packages, b"", MACHINE, quiet)
    assert list((tmp_path / "cache/heal7/debs").iterdir()) == []


def test_without_a_mirror_of_debian_the_build_asks_for_itself(
    apt: Apt, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "index_targets", lambda: "")
    said: list[str] = []
    elsewhere = Machine("ubuntu", "24.04", True, True, "x86_64")
    assert debs.fetch(packages, b"", elsewhere, said.append) == {}
    assert (apt.asked, len(said)) == ([], 1)
