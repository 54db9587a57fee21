"""How a service's image is built and pulled, and what of that only BuildKit could do.

The hub builds with the engine's classic builder: it needs no second protocol and no plug-in, and
every engine has it. What that builder cannot do is told by name, file and line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from controller.config.compose.rebase import is_remote
from controller.model.build import BuildSpec, Pull, PullPolicy, Source

Say = Callable[..., None]
"""Takes a sentence and the keys below the service that it is about."""

_PREFIX = "com.docker.compose."
_BY_BUILDER = frozenset(
    {"context", "dockerfile", "dockerfile_inline", "args", "labels", "target", "network"}
    | {"extra_hosts", "shm_size", "cache_from", "tags", "platforms", "isolation", "pull"}
    | {"no_cache"}
)
_NAMED_SPANS = {"daily": 86_400.0, "weekly": 604_800.0}
_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_ONLY_BUILDKIT = (
    re.compile(r"RUN\s+(?:--\S+\s+)*(--(?:mount|network|security))\b", re.I),
    re.compile(r"(?:COPY|ADD)\s+(?:--\S+\s+)*(--(?:link|parents|exclude|checksum))\b", re.I),
    re.compile(r"(?:RUN|COPY|ADD)\s+(?:\S+\s+)*?(<<-?[\"']?[A-Za-z_]\w*)", re.I),
)


def source_of(name: str, model: Mapping[str, Any], version: str, root: str, where: str) -> Source:
    """The ways to the image of the service `name` of a normalised model. Nothing outside the folder
    `root` is to be read; `where` is the place of its key `build`."""
    service: Mapping[str, Any] = model["services"][name]
    said = service.get("build")
    labels = {"project": model["name"], "service": name, "version": version}
    return Source(
        build=_build(service, said, labels, root, where) if said else None,
        policy=policy_of(service.get("pull_policy", ""), service.get("pull_refresh_after", "")),
        named=bool(service.get("image")),
    )


def policy_of(text: str, refresh_after: str = "") -> PullPolicy:
    """What a checked `pull_policy` means. `refresh` without an age is as good as `missing`, which
    is what the reference takes it for."""
    if text in _NAMED_SPANS:
        return PullPolicy(Pull.REFRESH, _NAMED_SPANS[text])
    span = text.removeprefix("every_") if text != "refresh" else refresh_after
    if span != text and span:
        parts = re.findall(r"(\d+)([wdhms])", span)
        return PullPolicy(Pull.REFRESH, float(sum(int(n) * _UNITS[unit] for n, unit in parts)))
    plain = (Pull.ALWAYS, Pull.NEVER, Pull.BUILD)
    return PullPolicy(Pull(text)) if text in plain else PullPolicy()


def _build(
    service: Mapping[str, Any],
    said: Mapping[str, Any],
    labels: Mapping[str, str],
    root: str,
    where: str,
) -> BuildSpec:
    platforms = said.get("platforms") or [service.get("platform")]
    size = said.get("shm_size")
    return BuildSpec(
        context=said["context"],
        root=root,
        where=where,
        dockerfile=said.get("dockerfile", "Dockerfile"),
        inline=said.get("dockerfile_inline"),
        args=tuple(said.get("args", {}).items()),
        labels=(
            *said.get("labels", {}).items(),
            *((_PREFIX + key, value) for key, value in labels.items()),
        ),
        target=said.get("target"),
        network=said.get("network"),
        extra_hosts=tuple(line.replace("=", ":", 1) for line in said.get("extra_hosts", ())),
        shm_size=int(size) if size else None,
        cache_from=tuple(ref for ref in said.get("cache_from", ()) if "type=" not in ref),
        tags=tuple(said.get("tags", ())),
        platform=platforms[0] if len(platforms) == 1 else service.get("platform"),
        isolation=said.get("isolation"),
        pull=said.get("pull", False),
        no_cache=said.get("no_cache", False),
        is_remote=is_remote(said["context"]),
    )


def warn_unbuildable(build: Mapping[str, Any], say: Say) -> None:
    """Say what of a normalised `build` the classic builder leaves out."""
    for key, value in build.items():
        if key not in _BY_BUILDER and value:
            say("only BuildKit can do it; the hub's builder leaves it out", "build", key)
    if len(build.get("platforms", ())) > 1:
        text = "an image of several platforms needs BuildKit; the engine's own platform is built"
        say(text, "build", "platforms")
    for ref in build.get("cache_from", ()):
        if "type=" in ref:
            say(f"{ref}: only BuildKit can do it; name an image instead", "build", "cache_from")
    context = build.get("context", "")
    if context.startswith(("service:", "target:", "docker-image:", "oci-layout:")):
        say(f"{context}: only BuildKit can take it for a context", "build", "context")
    elif is_remote(context) and build.get("dockerfile_inline"):
        say("the Dockerfile of a remote context cannot be given inline", "build", "context")
    for line, feature in only_buildkit(build.get("dockerfile_inline", "")):
        told = f"line {line}: {feature} needs BuildKit, so this build will fail"
        say(told, "build", "dockerfile_inline")


def only_buildkit(dockerfile: str) -> Iterator[tuple[int, str]]:
    """(line, what) for every instruction of a Dockerfile that the classic builder refuses."""
    for number, line in enumerate(dockerfile.splitlines(), 1):
        found = next((m for p in _ONLY_BUILDKIT if (m := p.match(line.strip()))), None)
        if found:
            yield number, f"{line.split()[0].upper()} {found.group(1)}"
