"""Compose projects made to harm whoever reads them, and a reader that cannot be harmed.

`python -m tests.unit.config.hostile [hub] [command]` writes each into a folder of its own and reads
it in a child process with bounded memory and time, as the hub or as `heal7 compose config` does,
and prints one JSON line a reading. The reading process is forked from one that has imported
everything and holds nothing else, so that time and memory are those of the input.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from controller.cli.compose import escaped
from controller.config.load import load, normalise
from controller.errors import ConfigError

MEMORY = 1_000_000 * 1024
PATIENCE_S = 20
MAX_CHARS = 256 * 1024
SERVICE = "services: {a: {image: i}}\n"

Write = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Hostile:
    """One project. `refused` is part of the fault that must be told; '' where it is to be read.
    `by_hub`: the hub refuses it, while the command prints what it says."""

    name: str
    write: Write
    refused: str = ""
    env: tuple[tuple[str, str], ...] = ()
    by_hub: bool = False

    def fault(self, by: str) -> str:
        """What a reader must say of it; empty where it reads it."""
        return "" if self.by_hub and by == "command" else self.refused


@dataclass(frozen=True, slots=True)
class Reading:
    """How one reading ended: `outcome` is read, refused or broke; seconds are of processor time."""

    name: str
    by: str
    outcome: str
    said: str
    seconds: float
    megabytes: float


def _files(**texts: str) -> Write:
    """Writes texts by name; `__` stands for a slash, `_` at the end for `.yaml`."""

    def write(folder: Path) -> None:
        for name, text in texts.items():
            stem = name.replace("__", "/")
            path = folder / (f"{stem[:-1]}.yaml" if stem.endswith("_") else stem)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")

    return write


def _compose(text: str, **more: str) -> Write:
    return _files(compose_=text, **more)


def _place(name: str, make: Callable[[Path], None], compose: str = SERVICE) -> Write:
    """A compose file, and at `name` whatever `make` puts there."""

    def write(folder: Path) -> None:
        (folder / "compose.yaml").write_text(compose, "utf-8")
        (folder / name).unlink(missing_ok=True)
        make(folder / name)

    return write


def _zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(4 << 30)


def _outside(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def _lines(count: int, line: str) -> str:
    return "".join(line.format(n=n, m=n + 1) for n in range(count))


def _services(count: int, body: str) -> str:
    return "services:\n" + _lines(count, "  s{n}: " + body + "\n")


def _filled(head: str, line: str) -> str:
    """`head`, then as many numbered lines as the largest file may have."""
    found, size, number = [head], len(head), 0
    while size + len(text := line.format(n=number, m=number + 1)) <= MAX_CHARS:
        found.append(text)
        size, number = size + len(text), number + 1
    return "".join(found)


def _doubling(levels: int) -> str:
    return "A0=" + "x" * 100 + "\n" + "".join(f"A{n + 1}=$A{n}$A{n}\n" for n in range(levels))


_BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(9)
)


def _many_includes(folder: Path) -> None:
    names = [f"i{n}.yaml" for n in range(3000)]
    _compose(f"include: {json.dumps(names)}\n{SERVICE}")(folder)
    for n, name in enumerate(names):
        (folder / name).write_text(f"services: {{i{n}: {{image: i}}}}", "utf-8")


def _large_includes(folder: Path, count: int = 31) -> None:
    names = [f"i{n}.yaml" for n in range(count)]
    _compose(f"include: {json.dumps(names)}\n{SERVICE}")(folder)
    for n, name in enumerate(names):
        text = _filled(f"x-{n}:\n", "  - {{a: [b, c], d{n}: e}}\n")
        (folder / name).write_text(text, "utf-8")


def _allowed_includes(folder: Path) -> None:
    _large_includes(folder, 2)


def _tree_of(link: Callable[[str], str], depth: int = 18) -> Write:
    """Each file leads to the next one twice."""

    def write(folder: Path) -> None:
        _compose(link("f0.yaml"))(folder)
        for n in range(depth):
            text = link(f"f{n + 1}.yaml") if n + 1 < depth else "services: {a: {image: i}}"
            (folder / f"f{n}.yaml").write_text(text, "utf-8")

    return write


def _including(name: str) -> str:
    return f"include: [{name}, ./{name}]\n"


def _extending(name: str) -> str:
    one, two = (f"{{extends: {{file: {at}{name}, service: a}}}}" for at in ("", "./"))
    return f"services: {{a: {one}, b: {two}}}\n"


def _chained(count: int) -> str:
    chain = _lines(count, "  s{n}: {{image: i, extends: s{m}}}\n")
    return f"services:\n{chain}  s{count}: {{image: i}}\n"


def _depending(count: int) -> str:
    chain = _lines(count, "  s{n}: {{image: i, depends_on: [s{m}]}}\n")
    return f"services:\n{chain}  s{count}: {{image: i}}\n"


def _large(count: int) -> str:
    """A service with so many variables."""
    return "{image: i, environment: {" + ", ".join(f"A{n}: 1" for n in range(count)) + "}}\n"


def _every_env_file(folder: Path) -> None:
    (folder / "vars.env").write_text(_filled("", "A{n}=1\n"), "utf-8")
    _compose(_services(500, "{{image: i, env_file: vars.env}}"))(folder)


def _bombs_in_env_files(folder: Path) -> None:
    names = [f"v{n}.env" for n in range(300)]
    for n, name in enumerate(names):
        (folder / name).write_text(_doubling(14).replace("A", f"B{n}_"), "utf-8")
    _compose(f"services: {{a: {{image: i, env_file: {json.dumps(names)}}}}}\n")(folder)


def _bombs_in_includes(folder: Path) -> None:
    names = [f"i{n}.yaml" for n in range(300)]
    for n, name in enumerate(names):
        grown = "$A" * 300
        text = f"services: {{i{n}: {{image: i, environment: {{B: '{grown}'}}}}}}\n"
        (folder / name).write_text(text, "utf-8")
    _compose(f"include: {json.dumps(names)}\n{SERVICE}")(folder)


_LONG = (("A", "x" * 10_000),)
_ENV = "services: {a: {image: i, env_file: x}}\n"
_LABELS = "services: {a: {image: i, label_file: x}}\n"
_EXTENDS = "services: {a: {extends: {file: x, service: a}}}\n"
_INCLUDE_ENV = "include: [{path: b.yaml, env_file: x}]\n"
_BUILD = "services: {a: {build: {context: ., dockerfile: x}}}\n"
_FILES = (
    "services: {a: {image: i, secrets: [s], configs: [c]}}\n"
    "secrets: {s: {file: x}}\nconfigs: {c: {file: x}}\n"
)
_NOT_A_FILE = "not a regular file"
_OUT = "outside the project directory"


def _special() -> Iterator[Hostile]:
    """A thing that is no file, wherever a file is named."""
    kinds: dict[str, Callable[[Path], None]] = {"fifo": os.mkfifo, "/dev/zero": _zero}
    for kind, make in kinds.items():
        beyond = _NOT_A_FILE if kind == "fifo" else _OUT
        yield Hostile(f"{kind} as compose.yaml", _place("compose.yaml", make), _NOT_A_FILE)
        yield Hostile(f"{kind} as .env", _place(".env", make), _NOT_A_FILE)
        yield Hostile(f"{kind} as include", _place("x", make, "include: [x]\n"), beyond)
        yield Hostile(f"{kind} as env_file", _place("x", make, _ENV), beyond)
        yield Hostile(f"{kind} as label_file", _place("x", make, _LABELS), beyond)
        yield Hostile(f"{kind} as extends.file", _place("x", make, _EXTENDS), beyond)
        yield Hostile(f"{kind} as Dockerfile", _place("x", make, _BUILD))
        # The engine mounts these; nobody reads them.
        yield Hostile(f"{kind} as file of a secret", _place("x", make, _FILES))
    yield Hostile("a folder as compose.yaml", _place("compose.yaml", Path.mkdir), _NOT_A_FILE)
    yield Hostile("a folder as env_file", _place("x", Path.mkdir, _ENV), _NOT_A_FILE)
    yield Hostile("a link to itself", _place("x", _loop, _ENV), "x: ")
    yield Hostile("4 GB as compose.yaml", _place("compose.yaml", _sparse), "larger than")
    yield Hostile("4 GB as .env", _place(".env", _sparse), "larger than")
    yield Hostile("4 GB as Dockerfile", _place("x", _sparse, _BUILD))
    yield Hostile("4 GB as env_file", _place("x", _sparse, _ENV), "larger than")


def _leaving() -> Iterator[Hostile]:
    """Paths that leave the project."""
    texts = {
        "include": "include: ['{path}']\n",
        "env_file of an include": "include: [{{path: b.yaml, env_file: '{path}'}}]\n",
        "project_directory of an include": "include: [{{path: b.yaml, project_directory: ..}}]\n",
        "env_file": "services: {{a: {{image: i, env_file: '{path}'}}}}\n",
        "label_file": "services: {{a: {{image: i, label_file: '{path}'}}}}\n",
        "dockerfile": "services: {{a: {{build: {{context: ., dockerfile: '{path}'}}}}}}\n",
        "extends": "services: {{a: {{extends: {{file: '{path}', service: a}}}}}}\n",
    }
    for key, text in texts.items():
        for path in ("../outside", "/etc/hostname", "sub/../../outside"):
            write = _compose(text.format(path=path), b_=SERVICE)
            # What a build may not read is refused when it is built; all else of the stack runs.
            yield Hostile(f"{key}: {path}", write, "" if key == "dockerfile" else _OUT)
    yield Hostile("a link out of the project", _place("x", _outside, _ENV), _OUT)


CASES: tuple[Hostile, ...] = (
    Hostile("alias bomb", _compose(_BOMB), "aliases"),
    Hostile(
        "aliases up to the limit",
        _compose(
            "x-e: &e {" + ", ".join(f"A{n}: 1" for n in range(95)) + "}\n"
            + _services(900, "{{image: i, environment: *e}}")
        ),
    ),
    Hostile("merge keys up to the limit",
        _compose("x-e: &e {" + ", ".join(f"x-{n}: 1" for n in range(95)) + "}\n"
            + _services(900, "{{image: i, <<: *e}}")),
    ),
    Hostile("an alias of itself", _compose("a: &a [*a]\n"), "refers to itself"),
    Hostile("100,000 lists deep", _compose("a: " + "[" * 100_000), "levels deep"),
    Hostile("100,000 mappings deep", _compose("a: " + "{a: " * 50_000), "levels deep"),
    Hostile("100,000 lists in lists by dashes", _compose("- " * 100_000), "levels deep"),
    Hostile("25,000 documents", _compose("---\nx-a: 1\n" * 23_000 + "---\n" + SERVICE)),
    Hostile("as many keys as fit", _compose(_filled(SERVICE + "x-a:\n", "  k{n}: 1\n"))),
    Hostile("as many list items as fit", _compose(_filled(SERVICE + "x-a:\n", "- {n}\n"))),
    Hostile("as many unknown keys as fit", _compose(_filled(SERVICE, "k{n}: 1\n")), "unknown key"),
    Hostile("one key of 256 KB", _compose("a" * 250_000 + ": 1\n"), "not valid YAML"),
    Hostile("a number of 250,000 digits",
        _compose("services: {a: {image: i, mem_limit: " + "9" * 250_000 + "}}\n"), "mem_limit"),
    Hostile("a port of 100,000 digits",
        _compose("services: {a: {image: i, ports: ['" + "9" * 100_000 + "']}}\n"), "ports"),
    Hostile("a duration of 100,000 digits",
        _compose("services: {a: {image: i, stop_grace_period: " + "9" * 100_000 + "s}}\n"),
        "stop_grace_period"),
    Hostile("all ports, a hundred times",
        _compose("services: {a: {image: i, ports: [" + "1-65535, " * 100 + "]}}\n")),
    Hostile("all ports of hundred services",
        _compose(_services(100, "{{image: i, ports: ['1-65535'], expose: ['1-65535']}}")), "ports"),
    Hostile("all ports exposed",
        _compose(_services(100, "{{image: i, expose: ['1-65535']}}")), "expose"),
    Hostile("as many services as fit", _compose(_filled("services:\n", " s{n}: {{image: i}}\n"))),
    Hostile("1,000 services", _compose(_services(1000, "{{image: i, ports: [80], dns: 1.1.1.1}}"))),
    Hostile("3,000 services that depend on one another", _compose(_depending(3000))),
    Hostile("900 services that depend on one another", _compose(_depending(900))),
    Hostile("99 services that extend one another", _compose(_chained(99))),
    Hostile("900 services that extend one another", _compose(_chained(900)), "deep"),
    Hostile("99 that extend one another with a large environment",
        _compose(_chained(99).replace("s99: {image: i}\n", "s99: " + _large(5000)))),
    Hostile("2,000 services that extend a large one",
        _compose(_services(2000, "{{extends: base}}") + "  base: " + _large(5000)), "extend"),
    Hostile("2,000 services that extend a large one of another file",
        _compose(_services(2000, "{{extends: {{file: b.yaml, service: b}}}}"),
            b_="services:\n  b: " + _large(5000)), "extend"),
    Hostile("500 services that extend one of 100 variables",
        _compose(_services(500, "{{extends: base}}") + "  base: " + _large(100))),
    Hostile("a service in a million containers",
        _compose("services: {a: {image: i, scale: 1000000}}\n"), "containers", by_hub=True),
    Hostile("2,000 services in a hundred containers each",
        _compose(_services(2000, "{{image: i, scale: 100}}")), "containers", by_hub=True),
    Hostile("a command of 250,000 quotes",
        _compose("services: {a: {image: i, command: \"" + "'' " * 83_000 + "\"}}\n")),
    Hostile("a file that includes itself", _compose("include: [compose.yaml]\n"), "cycle"),
    Hostile("3,000 includes", _many_includes, "in all"),
    Hostile("8 MB of includes", _large_includes, "in all"),
    Hostile("as much to include as is allowed", _allowed_includes),
    Hostile("files that include the next one twice", _tree_of(_including), "in all"),
    Hostile("files that extend the next one twice", _tree_of(_extending)),
    Hostile("dotenv that doubles", _compose(SERVICE, **{".env": _doubling(60)}), "more text"),
    Hostile("env_file that doubles", _compose(_ENV, x=_doubling(60)), "more text"),
    Hostile("env_file of an include that doubles",
        _compose(_INCLUDE_ENV, b_=SERVICE, x=_doubling(60)), "more text"),
    Hostile("300 env_files that grow", _bombs_in_env_files, "more text"),
    Hostile("300 includes that grow", _bombs_in_includes, "more text", _LONG),
    Hostile("a variable 10,000 times", _compose("x-a: '" + "$A" * 10_000 + "'\n" + SERVICE),
        "more text", _LONG),
    Hostile("variables 10,000 deep",
        _compose("x-a: '" + "${A:-" * 10_000 + "}" * 10_000 + "'\n" + SERVICE), "nested"),
    Hostile("60,000 names without a value",
        _compose("x-a: '" + _lines(30_000, "$A{n} ") + "'\n" + SERVICE)),
    Hostile("60,000 braces that never close", _compose("x-a: '" + "${" * 60_000 + "'\n" + SERVICE),
        "closing"),
    Hostile("as many lines of .env as fit", _compose(SERVICE, **{".env": _filled("", "A{n}=\n")})),
    Hostile("a .env of blanks", _compose(SERVICE, **{".env": " \n" * 120_000})),
    Hostile("a .env of one open quote",
        _compose(SERVICE, **{".env": 'A="' + "\\\"\n" * 80_000}), "closing quote"),
    Hostile("a large env_file for each of 500 services", _every_env_file, "in all"),
    *_special(),
    *_leaving(),
)  # fmt: skip


def _read(case: Hostile, by: str, folder: Path) -> str:
    """Reads it as the command line or the hub does. Raises ConfigError where it is refused."""
    env = {"HOME": str(folder), **dict(case.env)}
    if by == "hub":
        (folder / "config.yaml").write_text("orchestration: {compose_files: [compose.yaml]}\n")
        load(folder / "config.yaml", env)
        return "read"
    files = [folder / "compose.yaml"]
    model = normalise(files, [], [], None, folder, env, [])
    json.dumps(escaped(model))
    return "read"


def _child(case: Hostile, by: str, folder: Path, out: int) -> None:
    """Never returns: tells how it went over `out`, as outcome and words."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE_S, PATIENCE_S))
    signal.alarm(PATIENCE_S)
    try:
        outcome, said = _read(case, by, folder), ""
    except ConfigError as error:
        outcome, said = "refused", "\n".join(error.faults)
    except BaseException:  # noqa: BLE001 - whatever it is, it is what must never happen
        outcome, said = "broke", traceback.format_exc()[-2000:]
    os.write(out, json.dumps([outcome, said[:4000]]).encode())
    os._exit(0)


def reading(case: Hostile, by: str, folder: Path) -> Reading:
    """One reading in a child of its own; one that is ended from outside `broke`."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _child(case, by, folder, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        answer = told.read()
    _, status, usage = os.wait4(child, 0)
    outcome, said = json.loads(answer) if answer else ("broke", f"ended with status {status}")
    seconds = round(usage.ru_utime + usage.ru_stime, 3)
    return Reading(case.name, by, outcome, said, seconds, round(usage.ru_maxrss / 1024, 1))


def readings(readers: Sequence[str]) -> Iterator[Reading]:
    """Every case, read by each of the readers: hub, command."""
    with tempfile.TemporaryDirectory(prefix="heal7-hostile-") as root:
        for at, case in enumerate(CASES):
            folder = Path(root) / str(at) / "project"
            folder.mkdir(parents=True)
            case.write(folder)
            for by in readers:
                yield reading(case, by, folder)


def main() -> None:
    for found in readings(sys.argv[1:] or ("hub", "command")):
        print(json.dumps(asdict(found), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
