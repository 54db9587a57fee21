"""What set-up concludes from a machine, and what it says where it cannot go on."""

from __future__ import annotations

import sys

import pytest

from controller.errors import SetupError
from controller.setup import archives, system, wheels


def machine(**changes: object) -> system.Machine:
    facts: dict[str, object] = {
        "distribution": "debian",
        "version": "12",
        "root": True,
        "systemd": False,
        "machine": "x86_64",
    }
    return system.Machine(**{**facts, **changes})  # type: ignore[arg-type]


def test_os_release_reads_quotes_and_skips_what_is_no_field() -> None:
    text = "# a comment\nID=debian\nVERSION_ID=\"13\"\nPRETTY_NAME='Debian'\n"
    assert system.os_release(text) == {"ID": "debian", "VERSION_ID": "13", "PRETTY_NAME": "Debian"}


@pytest.mark.parametrize("version", ["12", "13"])
def test_root_on_debian_may_install(version: str) -> None:
    system.need_debian(machine(version=version), "Docker Engine", "install it")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"distribution": "fedora", "version": "43"}, "this is fedora 43"),
        ({"version": "11"}, "this is debian 11"),
        ({"root": False}, "needs root"),
    ],
)
def test_elsewhere_the_person_is_told_what_to_do(changes: dict[str, object], said: str) -> None:
    with pytest.raises(SetupError, match=said) as refused:
        system.need_debian(machine(**changes), "Docker Engine", "install it")
    assert refused.value.remedy


def test_architecture_is_debians_word() -> None:
    assert machine(machine="aarch64").architecture == "arm64"
    with pytest.raises(SetupError, match="riscv64"):
        _ = machine(machine="riscv64").architecture


def test_a_failing_program_is_quoted_with_its_last_words() -> None:
    lines: list[str] = []
    script = "import sys; print('first'); print('last words'); sys.exit(3)"
    with pytest.raises(SetupError, match=r"try it: .* ended with 3\.\nfirst\nlast words") as failed:
        system.run([sys.executable, "-c", script], lines.append, doing="try it", remedy="do that")
    assert lines == ["first\n", "last words\n"]
    assert failed.value.remedy == "do that"


def test_a_missing_program_is_named() -> None:
    with pytest.raises(SetupError, match="cannot run no-such-program"):
        system.run(["no-such-program"], print, doing="try it")


def test_the_mirror_is_the_hosts_own_debian_archive() -> None:
    listed = (
        "https://third.example/apt\tThird\tThird\n"
        "http://mirror.example/debian-security\tDebian\tDebian-Security\n"
        "mirror+file:/etc/apt/mirrors\tDebian\tDebian\n"
        "http://mirror.example/debian/\tDebian\tDebian\n"
    )
    assert archives.archive(listed) == "http://mirror.example/debian"
    assert archives.archive("") is None


def test_wheel_platforms_run_on_trixie_and_old_names_are_for_x86_only() -> None:
    x86, arm = wheels.platforms("x86_64"), wheels.platforms("aarch64")
    assert {"manylinux_2_28_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64"} <= set(x86)
    assert "manylinux_2_42_x86_64" not in x86
    assert "manylinux2014_aarch64" in arm
    assert not any("manylinux1" in name or "x86" in name for name in arm)
