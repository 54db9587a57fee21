"""`include`, `extends`, and finding the files that nobody named."""

from __future__ import annotations

from typing import Any

import pytest

from controller.config.compose.discover import default_files, named_files
from controller.config.compose.to_spec import to_stack
from tests.unit.config.config_helpers import MemoryReader, compile_texts, faults_of

BASE = (
    "services: {base: {image: 'b:${TAG:-1}', environment: [A=base, B=base], volumes: ['./d:/d']}}"
)


def services(*texts: str, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = compile_texts(*texts, **options).model["services"]
    return found


def test_a_service_takes_what_another_of_its_file_says() -> None:
    found = services(f"{BASE[:-1]}, web: {{extends: base, environment: {{B: own}}}}}}")["web"]
    assert found["image"] == "b:1"
    assert found["environment"] == {"A": "base", "B": "own"}
    assert "extends" not in found


def test_paths_of_an_extended_file_begin_at_that_file() -> None:
    text = "services: {web: {extends: {file: sub/b.yaml, service: base}, volumes: ['./o:/o']}}"
    mounts = services(text, files={"sub/b.yaml": BASE})["web"]["volumes"]
    assert [m["source"] for m in mounts] == ["/p/demo/sub/d", "/p/demo/o"]


@pytest.mark.parametrize(
    ("key", "of", "path"),
    [
        ("build: .", "build.context", "/p/demo/sub"),
        ("build: ./x", "build.context", "/p/demo/sub/x"),
        ("build: {context: ../x}", "build.context", "/p/demo/x"),
        ("build: {additional_contexts: [a=./b]}", "build.additional_contexts.a", "/p/demo/sub/b"),
        ("build: 'https://x.y/z.git'", "build.context", "https://x.y/z.git"),
        ("volumes: ['~/h:/h']", "volumes.0.source", "/home/me/h"),
        ("volumes: ['data:/h']", "volumes.0.source", "data"),
        ("volumes: [{type: bind, source: s, target: /s}]", "volumes.0.source", "/p/demo/sub/s"),
        ("develop: {watch: [{path: w, action: rebuild}]}", "develop.watch.0.path", "/p/demo/sub/w"),
    ],
)
def test_every_kind_of_path_is_seen_from_its_own_file(key: str, of: str, path: str) -> None:
    text = "services: {web: {extends: {file: sub/b.yaml, service: b}}}\nvolumes: {data: }"
    found: Any = services(text, files={"sub/b.yaml": f"services: {{b: {{image: i, {key}}}}}"})[
        "web"
    ]
    for step in of.split("."):
        found = found[int(step) if step.isdigit() else step]
    assert found == path


@pytest.mark.parametrize(
    ("base", "own", "expected"),
    [
        ("environment: {A: 1}", "environment: ", {"environment": {"A": "1"}}),
        ("environment: ", "environment: {A: 1}", {"environment": {"A": "1"}}),
        ("user: a", "user: ", {"user": "a"}),
        ("command: a", "command: ", {"command": None}),
    ],
)
def test_a_key_that_says_nothing_leaves_it_to_the_service_extended(
    base: str, own: str, expected: dict[str, Any]
) -> None:
    text = f"services: {{web: {{extends: {{file: b.yaml, service: b}}, {own}}}}}"
    found = services(text, files={"b.yaml": f"services: {{b: {{image: i, {base}}}}}"})["web"]
    assert {key: found.get(key) for key in expected} == expected


def test_a_key_that_says_nothing_and_has_nothing_to_take_is_refused() -> None:
    text = "services: {web: {image: i, extends: b, ports: }, b: {image: i}}"
    [fault] = faults_of(text)
    assert "services.web.ports: found nothing, allowed: list" in fault


def test_a_chain_of_extends_over_two_files() -> None:
    middle = "services: {m: {extends: {file: deep/b.yaml, service: base}, environment: [B=middle]}}"
    text = "services: {web: {extends: {file: sub/m.yaml, service: m}, environment: [C=own]}}"
    found = services(text, files={"sub/m.yaml": middle, "sub/deep/b.yaml": BASE})["web"]
    assert found["environment"] == {"A": "base", "B": "middle", "C": "own"}
    assert found["volumes"][0]["source"] == "/p/demo/sub/deep/d"


def test_what_is_extended_can_be_reset_and_overridden() -> None:
    text = f"{BASE[:-1]}, web: {{extends: base, volumes: !reset , environment: !override [C=1]}}}}"
    found = services(text)["web"]
    assert "volumes" not in found
    assert found["environment"] == {"C": "1"}


def test_an_included_file_has_its_own_folder_and_variables() -> None:
    text = "include: [sub/b.yaml]\nservices: {web: {image: 'w:${TAG:-none}'}}"
    found = services(text, files={"sub/b.yaml": BASE, "sub/.env": "TAG=7"})
    assert found["base"]["image"] == "b:7"
    assert found["base"]["volumes"][0]["source"] == "/p/demo/sub/d"
    assert found["web"]["image"] == "w:none"


def test_a_lines_variable_is_that_of_the_included_file() -> None:
    inner = "services: {b: {image: i, environment: [TAG, OTHER]}}"
    found = services("include: [s/b.yaml]", files={"s/b.yaml": inner, "s/.env": "TAG=7"})["b"]
    assert found["environment"] == {"TAG": "7", "OTHER": None}


def test_the_shell_wins_over_the_variables_of_an_included_file() -> None:
    files = {"sub/b.yaml": BASE, "sub/.env": "TAG=7"}
    assert (
        services("include: [sub/b.yaml]", files=files, env={"TAG": "8"})["base"]["image"] == "b:8"
    )


_SCOPED = """
services: {b: {image: b, secrets: [token], configs: [motd]}}
secrets: {token: {environment: TOKEN}}
configs: {motd: {environment: MOTD}}
"""


def contents(text: str, **options: Any) -> dict[str, str]:
    """What the files of service b hold, by path."""
    compiled = compile_texts(text, **options)
    found = to_stack(compiled, {}, "9").services["b"].container.settings.files
    return {file.target: file.content for file in found}


@pytest.mark.parametrize(
    ("include", "files"),
    [
        ("include: [s/b.yaml]", {"s/.env": "TOKEN=t1\nMOTD=hi"}),
        ("include: [{path: s/b.yaml, env_file: [x.env]}]", {"x.env": "TOKEN=t1\nMOTD=hi"}),
        (
            "include: [{path: s/b.yaml, project_directory: other}]",
            {"other/.env": "TOKEN=t1\nMOTD=hi"},
        ),
    ],
)
def test_a_secret_of_an_included_file_is_made_of_that_files_variables(
    include: str, files: dict[str, str]
) -> None:
    files |= {"s/b.yaml": _SCOPED, ".env": "OTHER=1"}
    assert contents(include, files=files) == {"/run/secrets/token": "t1", "/motd": "hi"}
    # Printed is only the name, and the shell wins as it does for everything else.
    printed = compile_texts(include, files=files).model
    assert printed["secrets"]["token"]["environment"] == "TOKEN"
    assert "t1" not in str(printed)
    assert contents(include, files=files, env={"TOKEN": "t9"})["/run/secrets/token"] == "t9"


def test_the_innermost_file_counts_and_an_override_may_name_another_variable() -> None:
    files = {
        "a/a.yaml": "include: [s/b.yaml]",
        "a/.env": "MOTD=outer",
        "a/s/b.yaml": _SCOPED,
        "a/s/.env": "TOKEN=inner\nMOTD=inner",
    }
    include = "include: [a/a.yaml]"
    assert contents(include, files=files) == {"/run/secrets/token": "inner", "/motd": "outer"}
    compiled = compile_texts(
        include, "secrets: {token: {environment: MINE}}", files=files, env={"MINE": "m"}
    )
    assert compiled.contents[("secrets", "token")] == "m"


def test_a_variable_that_is_not_set_is_told() -> None:
    compiled = compile_texts(_SCOPED, env={"MOTD": "hi"})
    assert compiled.contents == {("secrets", "token"): "", ("configs", "motd"): "hi"}
    (warning,) = compiled.report.warnings
    assert "secrets.token: the variable TOKEN is not set" in warning


def test_the_long_form_of_include() -> None:
    text = (
        "include:\n- path: [sub/b.yaml, sub/o.yaml]\n"
        "  project_directory: elsewhere\n  env_file: vars.env"
    )
    over = "services: {base: {environment: [B=over]}}"
    files = {"sub/b.yaml": BASE, "sub/o.yaml": over, "vars.env": "TAG=9"}
    found = services(text, files=files)["base"]
    assert found["image"] == "b:9"
    assert found["environment"] == {"A": "base", "B": "over"}
    assert found["volumes"][0]["source"] == "/p/demo/elsewhere/d"


def test_what_is_included_is_changed_by_a_further_file() -> None:
    over = "services: {base: {image: own, environment: [B=own]}}"
    found = services("include: [b.yaml]", over, files={"b.yaml": BASE})["base"]
    assert (found["image"], found["environment"]) == ("own", {"A": "base", "B": "own"})


def test_the_same_may_be_declared_twice() -> None:
    text = "include: [a.yaml, b.yaml]\nservices: {w: {image: i}}\nvolumes: {data: }"
    both = "services: {z: {image: z}}\nvolumes: {data: }"
    assert set(services(text, files={"a.yaml": both, "b.yaml": both})) == {"w", "z"}


@pytest.mark.parametrize(
    "text",
    ["include:\nservices: {w: {image: i}}", "include: [{path: []}]\nservices: {w: {image: i}}"],
)
def test_an_include_of_nothing_includes_nothing(text: str) -> None:
    assert set(services(text)) == {"w"}


def test_networks_and_volumes_come_with_an_included_file() -> None:
    inner = "services: {b: {image: i, networks: [n], volumes: ['data:/d']}}\nnetworks: {n: }\n"
    model = compile_texts("include: [b.yaml]", files={"b.yaml": inner + "volumes: {data: }"}).model
    assert model["networks"]["n"]["name"] == "demo_n"
    assert model["volumes"]["data"]["name"] == "demo_data"


def test_an_included_file_includes_and_extends_in_its_turn() -> None:
    files = {
        "a/one.yaml": "include: [two/two.yaml]\nservices: {one: {extends: two}}",
        "a/two/two.yaml": "services: {two: {image: t, volumes: ['./x:/x']}}",
    }
    with pytest.raises(KeyError):
        # What is included is there only after the file's own services are extended.
        services("include: [a/one.yaml]", files=files)["none"]
    found = services("include: [a/one.yaml]", files=files)
    assert found["one"]["volumes"][0]["source"] == "/p/demo/a/two/x"


@pytest.mark.parametrize(
    ("text", "files", "said"),
    [
        ("include: [c.yaml]", {}, "c.yaml:1: include: a cycle: /p/demo/c.yaml -> /p/demo/c.yaml"),
        ("include: [b.yaml]", {"b.yaml": "include: [c.yaml]"}, "b.yaml:1: include: a cycle"),
        ("include: [no.yaml]", {}, "c.yaml:1: include: /p/demo/no.yaml: there is no such file"),
        ("include: [e.yaml]", {"e.yaml": ""}, "c.yaml:1: include: /p/demo/e.yaml is empty"),
        (
            "include: [b.yaml]\nservices: {base: {image: own}}",
            {"b.yaml": BASE},
            "c.yaml:2: services.base: the included file at /p/demo/b.yaml:1 declares it too",
        ),
        (
            "include: b.yaml",
            {"b.yaml": BASE},
            "found text 'b.yaml', allowed: nothing or list",
        ),
        ("include: [{file: b}]", {}, "include[0].file: unknown key"),
        ("include: [{env_file: e}]", {}, "include: the key path is missing"),
        ("include: [b.yaml]", {"b.yaml": "services: {a: {imge: x}}"}, "b.yaml:1: services.a.imge"),
        (
            "services: {web: {extends: bse}, base: {image: i}}",
            {},
            "c.yaml:1: services.web.extends: there is no service 'bse' (did you mean \"base\"?)",
        ),
        (
            "services: {web: {extends: {file: b.yaml, service: x}}}",
            {"b.yaml": BASE},
            "c.yaml:1: services.web.extends: there is no service 'x' in /p/demo/b.yaml",
        ),
        (
            "services: {web: {extends: {file: no.yaml, service: x}}}",
            {},
            "c.yaml:1: extends: /p/demo/no.yaml: there is no such file",
        ),
        (
            "services: {a: {extends: b}, b: {extends: c}, c: {extends: a}}",
            {},
            "services.a.extends: a cycle: a -> b -> c -> a",
        ),
        ("services: {a: {extends: a}}", {}, "services.a.extends: a cycle: a -> a"),
        (
            "services: {a: {extends: {file: b}}}",
            {},
            "services.a.extends: the key service is missing",
        ),
        ("services: {a: {extends: [b]}}", {}, "services.a.extends: found list"),
    ],
)
def test_what_leads_nowhere_is_refused(text: str, files: dict[str, str], said: str) -> None:
    faults = faults_of(text, files=files)
    assert any(said in fault for fault in faults), faults


def test_two_files_that_extend_each_other_are_refused() -> None:
    files = {
        "a.yaml": "services: {a: {extends: {file: b.yaml, service: b}}}",
        "b.yaml": "services: {b: {extends: {file: a.yaml, service: a}}}",
    }
    faults = faults_of("services: {w: {extends: {file: a.yaml, service: a}}}", files=files)
    assert any("extends:" in fault for fault in faults), faults


def test_a_file_that_many_extend_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    read = MemoryReader.read

    def counted(self: MemoryReader, path: str, **how: Any) -> str | None:
        reads.append(path)
        return read(self, path, **how)

    monkeypatch.setattr(MemoryReader, "read", counted)
    text = "services:\n" + "".join(
        f"  s{n}: {{extends: {{file: b.yaml, service: base}}}}\n" for n in range(50)
    )
    assert len(services(text, files={"b.yaml": BASE})) == 50
    assert reads.count("/p/demo/b.yaml") == 1


@pytest.mark.parametrize(
    ("there", "found"),
    [
        (("/a/b/compose.yaml",), ("/a/b/compose.yaml",)),
        (("/a/compose.yml", "/docker-compose.yml"), ("/a/compose.yml",)),
        (
            ("/a/b/docker-compose.yml", "/a/b/docker-compose.override.yml"),
            ("/a/b/docker-compose.yml", "/a/b/docker-compose.override.yml"),
        ),
        (("/a/b/compose.yaml", "/a/b/docker-compose.yml"), ("/a/b/compose.yaml",)),
        (("/a/b/compose.override.yml",), ()),
        (("/a/compose.yaml", "/a/b/compose.override.yml"), ("/a/compose.yaml",)),
        ((), ()),
    ],
)
def test_the_files_of_a_folder(there: tuple[str, ...], found: tuple[str, ...]) -> None:
    assert default_files("/a/b", lambda path: path in there) == found


@pytest.mark.parametrize(
    ("env", "found"),
    [
        ({}, ()),
        ({"COMPOSE_FILE": "x.yaml"}, ("/a/x.yaml",)),
        ({"COMPOSE_FILE": "x.yaml:/b/y.yaml"}, ("/a/x.yaml", "/b/y.yaml")),
        ({"COMPOSE_FILE": "x,y", "COMPOSE_PATH_SEPARATOR": ","}, ("/a/x", "/a/y")),
        ({"COMPOSE_FILE": "-"}, ("-",)),
    ],
)
def test_the_files_of_the_environment(env: dict[str, str], found: tuple[str, ...]) -> None:
    assert named_files(env, "/a") == found
