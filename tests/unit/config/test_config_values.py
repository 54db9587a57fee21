"""Interpolation, dotenv and units, each against the reference's documented behaviour."""

from __future__ import annotations

from typing import Any

import pytest

from controller.config.compose import dotenv
from controller.config.compose.interpolate import InterpolationError, Interpolator, interpolate_tree
from controller.config.compose.mount_text import split_mount
from controller.config.compose.port_text import split_port
from controller.config.compose.units import format_duration, go_text, parse_bytes, parse_duration
from controller.config.node import Report, plain
from controller.config.yaml12 import read

NOTHING: dict[str, str] = {}
ENV = {"A": "1", "E": "", "B": "two", "NAME": "A"}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("plain", "plain"),
        ("$A", "1"),
        ("${A}", "1"),
        ("$A$B", "1two"),
        ("a-${A}-b", "a-1-b"),
        ("$$A", "$A"),
        ("^a$", "^a$"),
        ("$1 $ $-", "$1 $ $-"),
        ("$$$$", "$$"),
        ("${A:-x}", "1"),
        ("${E:-x}", "x"),
        ("${E-x}", ""),
        ("${U:-x}", "x"),
        ("${U-x}", "x"),
        ("${U:-}", ""),
        ("${A:+x}", "x"),
        ("${E:+x}", ""),
        ("${E+x}", "x"),
        ("${U+x}", ""),
        ("${A:?must}", "1"),
        ("${E?must}", ""),
        ("${U:-${B}}", "two"),
        ("${U:-${V:-${A}}}", "1"),
        ("${U:-a:b-c?d+e}", "a:b-c?d+e"),
        ("${U:-{json: 1}}x", "{json: 1}x"),
        ("${U:-$$x}", "$x"),
        ("$U", ""),
        ("${_x1:-y}", "y"),
        ("${A:-{x}}", "1"),
        ("${U:-{}", "{"),
        ("${U:-{}b}", "{}b"),
    ],
)
def test_templates(template: str, value: str) -> None:
    assert Interpolator(ENV.get, set(), Report()).expand(template) == value


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("${}", "names no variable"),
        ("${A", "closing"),
        ("${A!x}", "after the name come"),
        ("${1A}", "names no variable"),
        ("${U:?the reason $A}", "the required variable U has no value: the reason 1"),
        ("${E:?}", "the required variable E has no value"),
        ("${U?gone}", "U has no value: gone"),
        ("${U:-" * 30 + "}" * 30, "nested more than"),
    ],
)
def test_bad_templates(template: str, said: str) -> None:
    with pytest.raises(InterpolationError) as caught:
        Interpolator(ENV.get, set(), Report()).expand(template)
    assert said in str(caught.value)


def test_keys_are_not_interpolated_and_unset_variables_are_warned_of() -> None:
    report = Report()
    tree = interpolate_tree(read("$A:\n  - $A\n  - $U\n", "c"), ENV.get, report)
    assert plain(tree) == {"$A": ["1", ""]}
    assert report.warnings == ["c:3: $A[1]: the variable U is not set, taken as empty"]


def test_doubling_variables_cannot_fill_the_memory() -> None:
    lines = ["A=" + "x" * 1000] + ["A=$A$A$A$A" for _ in range(20)]
    report = Report()
    dotenv.parse("\n".join(lines), ".env", NOTHING.get, report)
    assert "more text than is allowed" in report.faults[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=1", {"A": "1"}),
        ("A = 1 ", {"A": "1"}),
        ("export A=1", {"A": "1"}),
        ("A: yaml style", {"A": "yaml style"}),
        ("# c\n\nA=1 # comment\n", {"A": "1"}),
        ("A=1#no comment", {"A": "1#no comment"}),
        ("A='lit $B' # c", {"A": "lit $B"}),
        ('A="x $B"', {"A": "x two"}),
        ("A=x ${B}", {"A": "x two"}),
        ('A="a\\nb"', {"A": "a\nb"}),
        ("A='a\\nb'", {"A": "a\\nb"}),
        ('A="a\nb"\nC=1', {"A": "a\nb", "C": "1"}),
        ("A='it\\'s'", {"A": "it's"}),
        ('A="say \\"hi\\""', {"A": 'say "hi"'}),
        ('A="\\$B"', {"A": "$B"}),
        ("A=", {"A": ""}),
        ("A=\nC=2", {"A": "", "C": "2"}),
        ("A=1\nC=$A", {"A": "1", "C": "1"}),
        ("B", {"B": "two"}),
        ("UNSET", {}),
        ("A=1\r\nC=2\r\n", {"A": "1", "C": "2"}),
        ("A=a=b", {"A": "a=b"}),
        ("A.B-c=1", {"A.B-c": "1"}),
        ("A=${U:-d}", {"A": "d"}),
    ],
)
def test_dotenv(text: str, value: dict[str, str]) -> None:
    report = Report()
    assert dotenv.parse(text, ".env", {"B": "two"}.get, report) == value
    assert report.faults == []


@pytest.mark.parametrize(
    ("text", "line"),
    [("A=1\nsecret line here\nB=2", 2), ("A='x\ny", 1), ("=x", 1), ("A=${", 1), ("A='x'y", 1)],
)
def test_dotenv_faults_name_the_line_and_keep_the_secret(text: str, line: int) -> None:
    report = Report()
    dotenv.parse(text, ".env", NOTHING.get, report)
    assert report.faults[0].startswith(f".env:{line}: ")
    assert "secret" not in report.faults[0]


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("90s", "1m30s"),
        ("1m30s", "1m30s"),
        ("500ms", "500ms"),
        ("1.5s", "1.5s"),
        ("1h", "1h0m0s"),
        ("1d", "24h0m0s"),
        ("0", "0s"),
        ("0s", "0s"),
        ("100us", "100µs"),
    ],
)
def test_durations(text: str, printed: str) -> None:
    assert format_duration(parse_duration(text)) == printed


@pytest.mark.parametrize("text", ["", "10", "s", "1x", "-1s", "1 s", "1s!", "9" * 400 + "s"])
def test_bad_durations(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("512m", 536870912),
        ("1g", 1073741824),
        ("1.5gb", 1610612736),
        ("64k", 65536),
        ("100", 100),
        (100, 100),
        ("1 MiB", 1048576),
        ("-1", -1),
        ("10b", 10),
    ],
)
def test_sizes(value: str | int, size: int) -> None:
    assert parse_bytes(value) == size


@pytest.mark.parametrize("value", ["x", "1zb", "", "1,5g", 1.5, float("inf"), "9" * 60])
def test_bad_sizes(value: Any) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_bytes(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (1.5, "1.5"),
        (8.0, "8"),
        (1e6, "1e+06"),
        (1234567.0, "1.234567e+06"),
        (0.00001, "1e-05"),
        (-2.5, "-2.5"),
        (None, ""),
        (0.0, "0"),
        (100000.0, "100000"),
        (float("inf"), "+Inf"),
    ],
)
def test_scalars_print_as_the_reference_prints_them(value: Any, text: str) -> None:
    assert go_text(value) == text


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("80", [(80, "", "tcp", "")]),
        ("8080:80", [(80, "8080", "tcp", "")]),
        ("127.0.0.1:8080:80", [(80, "8080", "tcp", "127.0.0.1")]),
        ("127.0.0.1::80", [(80, "", "tcp", "127.0.0.1")]),
        ("53:53/udp", [(53, "53", "udp", "")]),
        ("[::1]:80:80", [(80, "80", "tcp", "::1")]),
        ("::1:80:80", [(80, "80", "tcp", "::1")]),
        ("3000-3001", [(3000, "", "tcp", ""), (3001, "", "tcp", "")]),
        ("8000-8001:80-81", [(80, "8000", "tcp", ""), (81, "8001", "tcp", "")]),
        ("8000-8009:80", [(80, "8000-8009", "tcp", "")]),
    ],
)
def test_short_ports(text: str, ports: list[tuple[int, str, str, str]]) -> None:
    found = [(p.target, p.published, p.protocol, p.host_ip) for p in split_port(text)]
    assert found == ports


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("/data", ("", "/data", False)),
        ("vol:/data", ("vol", "/data", False)),
        ("./a:/data:ro", ("./a", "/data", True)),
        ("~/a:/data/", ("~/a", "/data", False)),
        ("C:\\a:/data:rw", ("C:\\a", "/data", False)),
    ],
)
def test_short_mounts(text: str, parts: tuple[str, str, bool]) -> None:
    found = split_mount(text)
    assert (found.source, found.target, found.read_only) == parts
