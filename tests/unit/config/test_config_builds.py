"""How images are built and pulled, as compose files say it, and what the hub cannot do of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from config_helpers import FOLDER, stack, web_spec

from controller.config.compose.build import only_buildkit, policy_of
from controller.config.load import load
from controller.model.build import BuildSpec, Pull, PullPolicy

DAY = 86_400.0
POLICIES = [
    ("", PullPolicy()),
    ("missing", PullPolicy()),
    ("if_not_present", PullPolicy()),
    ("refresh", PullPolicy()),
    ("always", PullPolicy(Pull.ALWAYS)),
    ("never", PullPolicy(Pull.NEVER)),
    ("build", PullPolicy(Pull.BUILD)),
    ("daily", PullPolicy(Pull.REFRESH, DAY)),
    ("weekly", PullPolicy(Pull.REFRESH, 7 * DAY)),
    ("every_1h30m", PullPolicy(Pull.REFRESH, 5400)),
    ("every_1w2d3s", PullPolicy(Pull.REFRESH, 9 * DAY + 3)),
]
BUILDS: list[tuple[str, str, Any]] = [
    ("build: ./app", "context", f"{FOLDER}/app"),
    ("build: ../app", "context", "/p/app"),
    ("build: .", "dockerfile", "Dockerfile"),
    ("build: {dockerfile: ../d/Dockerfile}", "dockerfile", "../d/Dockerfile"),
    ("build: {dockerfile_inline: FROM a}", "inline", "FROM a"),
    ("build: {args: {A: 1, B: }}", "args", (("A", "1"),)),
    ("build: {args: ['A=b=c']}", "args", (("A", "b=c"),)),
    ("build: {target: t}", "target", "t"),
    ("build: {network: host}", "network", "host"),
    ("build: {extra_hosts: ['a=1.2.3.4']}", "extra_hosts", ("a:1.2.3.4",)),
    ("build: {shm_size: 64m}", "shm_size", 64 << 20),
    ("build: {cache_from: [a, 'type=local,src=x']}", "cache_from", ("a",)),
    ("build: {tags: ['a:1', 'b:2']}", "tags", ("a:1", "b:2")),
    ("build: {platforms: [linux/arm64]}", "platform", "linux/arm64"),
    ("build: .\nplatform: linux/amd64", "platform", "linux/amd64"),
    ("build: {pull: true}", "pull", True),
    ("build: {no_cache: true}", "no_cache", True),
    ("build: {isolation: default}", "isolation", "default"),
    ("build: https://example.org/a.git", "is_remote", True),
]  # fmt: skip
LOST = [
    ("secrets: [s]\n---\nsecrets: {s: {file: ./s}}", "build.secrets"),
    ("ssh: [default]", "build.ssh"),
    ("additional_contexts: {a: ./b}", "build.additional_contexts"),
    ("cache_to: ['type=inline']", "build.cache_to"),
    ("cache_from: ['type=local,src=x']", "build.cache_from: type=local,src=x"),
    ("platforms: [linux/amd64, linux/arm64]", "build.platforms"),
    ("ulimits: {nofile: 9}", "build.ulimits"),
    ("privileged: true", "build.privileged"),
    ("context: 'service:db'", "build.context: service:db"),
    ("{context: 'https://h/a.git', dockerfile_inline: FROM a}", "build.context"),
    ("dockerfile_inline: \"FROM a\\nRUN --mount=type=cache,target=/x ls\"", "line 2: RUN --mount"),
]  # fmt: skip
BUILDKIT = [
    ("FROM a\nRUN ls", []),
    ("RUN a << 1", []),
    ("# RUN --mount=x", []),
    ("COPY --from=a --chown=1 b c", []),
    ("RUN --mount=type=cache,target=/x ls", [(1, "RUN --mount")]),
    ("FROM a\n  run  --network=none ls", [(2, "RUN --network")]),
    ("COPY --from=a --link b c", [(1, "COPY --link")]),
    ("RUN <<EOF\nls\nEOF", [(1, "RUN <<EOF")]),
    ('COPY <<"END" /x', [(1, 'COPY <<"END')]),
    ("ADD --checksum=sha256:0 http://a b", [(1, "ADD --checksum")]),
]


@pytest.mark.parametrize(("text", "wanted"), POLICIES)
def test_when_an_image_is_pulled(text: str, wanted: PullPolicy) -> None:
    assert policy_of(text) == wanted
    body = f"pull_policy: {text}" if text else ""
    assert web_spec(body).source.policy == wanted


def test_how_old_a_pull_may_be_can_stand_in_a_key_of_its_own() -> None:
    body = "pull_policy: refresh\npull_refresh_after: 1h30m"
    assert web_spec(body).source.policy == PullPolicy(Pull.REFRESH, 5400)


@pytest.mark.parametrize(("body", "field", "wanted"), BUILDS)
def test_how_an_image_is_built(body: str, field: str, wanted: Any) -> None:
    build = web_spec(body).source.build
    assert build is not None
    assert getattr(build, field) == wanted


def test_a_built_image_has_a_name_and_the_labels_of_its_service() -> None:
    spec = stack("services: {a: {build: {context: ., labels: {own: x}}}}").services["a"]
    assert spec.container.image == "demo-a"
    assert spec.source.named is False
    assert spec.source.build == BuildSpec(
        context=FOLDER,
        root=FOLDER,
        where=f"{FOLDER}/c.yaml:1",
        labels=(
            ("own", "x"),
            ("com.docker.compose.project", "demo"),
            ("com.docker.compose.service", "a"),
            ("com.docker.compose.version", "9.9.9"),
        ),
    )


@pytest.mark.parametrize(("body", "said"), LOST)
def test_what_only_buildkit_can_do_is_a_warning(body: str, said: str) -> None:
    build, _, rest = body.partition("\n---\n")
    build = build if build.startswith("{") else f"{{{build}}}"
    warnings = stack(f"services: {{a: {{image: i, build: {build}}}}}\n{rest}").warnings
    assert [w for w in warnings if f"services.a.{said}" in w or said in w], warnings


@pytest.mark.parametrize(("dockerfile", "wanted"), BUILDKIT)
def test_instructions_that_the_classic_builder_refuses(
    dockerfile: str, wanted: list[tuple[int, str]]
) -> None:
    assert list(only_buildkit(dockerfile)) == wanted


def _warnings(folder: Path, compose: str) -> list[str]:
    (folder / "compose.yaml").write_text(compose)
    (folder / "config.yaml").write_text("")
    return [w for w in load(folder / "config.yaml", {}).stack.warnings if "services.a.build" in w]


def test_a_context_beside_the_folder_of_the_configuration_is_a_warning(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "app").mkdir(parents=True)
    assert _warnings(home, "services: {a: {build: ./app}}") == []
    (warning,) = _warnings(home, "services:\n  a:\n    build:\n      context: ../far\n")
    assert warning.startswith(f"{home}/compose.yaml:4: services.a.build.context: {tmp_path}/far")
    assert "put config.yaml into a folder that holds both" in warning
    # A link does not lead out either.
    (tmp_path / "far").mkdir()
    (home / "link").symlink_to(tmp_path / "far")
    assert "lies outside" in _warnings(home, "services: {a: {build: ./link}}")[0]


def test_a_dockerfile_for_buildkit_is_a_warning_that_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a\nRUN --mount=type=secret,id=x cat x\n")
    (warning,) = _warnings(tmp_path, "services: {a: {build: .}}")
    assert "RUN --mount in line 2 of Dockerfile needs BuildKit" in warning


def test_changing_a_dockerfile_is_no_change_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a\n")
    _warnings(tmp_path, "services: {a: {build: .}}")
    before = load(tmp_path / "config.yaml", {})
    (tmp_path / "Dockerfile").write_text("FROM b\n")
    assert load(tmp_path / "config.yaml", {}).digest == before.digest


def test_the_home_stack_is_built_and_never_fetched() -> None:
    home = load(Path(__file__).resolve().parents[3] / "config.yaml", {}).stack
    assert len(home.services) == 5
    for name, spec in home.services.items():
        assert spec.source.build is not None, name
        assert spec.source.policy == PullPolicy(Pull.NEVER), name
