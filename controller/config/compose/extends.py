"""`extends`: a service says only how it differs from another, of this file or of another.

The base may itself extend a third. A service that comes back to itself on the way is a fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from controller.config.compose.merge import merge_service
from controller.config.node import Mark, Node, Report
from controller.errors import ConfigError

_MAX_DEPTH = 100
# Values of all services that extend another, once that is written out: a short line that repeats a
# long service could fill the memory. Large stacks have a tenth of this.
_MAX_EXTENDED = 500_000


@dataclass(frozen=True, slots=True)
class Base:
    """A file whose services are extended: its place, its tree, and who resolves it further."""

    file: str
    extender: Extender
    tree: Node


Open = Callable[[str, Mark], Base]


class Extender:
    """Resolves the services of one file; a file or service that many extend is resolved once."""

    def __init__(self, report: Report, open_file: Open, file: str = "") -> None:
        self._report = report
        self._open = open_file
        self._file = file
        self._files: dict[str, Base] = {}
        self._done: dict[str, Node] = {}

    def applied(self, tree: Node) -> Node:
        """The tree without a single `extends`."""
        services = tree.get("services")
        if services is None or not services.map():
            return tree
        resolved = {name: self.service(name, services, ()) for name in services.map()}
        changed = Node(resolved, services.mark, services.tag)
        return Node({**tree.map(), "services": changed}, tree.mark, tree.tag)

    def service(self, name: str, services: Node, chain: tuple[str, ...]) -> Node:
        """One service of `services` with what it extends under it; `chain` led here."""
        if name in self._done:
            return self._done[name]
        service = services.map()[name]
        said = service.get("extends")
        if said is None or said.value is None:
            return service
        base = self._base(name, said, services, (*chain, f"{self._file}#{name}"))
        if base is None:
            return service
        own = {key: child for key, child in service.map().items() if key != "extends"}
        over = Node(own, service.mark, service.tag)
        merged = merge_service(base, over, name, self._report)
        self._report.extended += _weight(merged)
        if self._report.extended > _MAX_EXTENDED:
            raise ConfigError(
                [
                    f"{said.mark}: services.{name}.extends: with this service, those that extend "
                    "another hold too much once it is written out"
                ],
                remedy="let fewer services extend a large one",
            )
        self._done[name] = merged
        return merged

    def _base(self, name: str, said: Node, services: Node, chain: tuple[str, ...]) -> Node | None:
        place = f"services.{name}.extends"
        if chain[-1] in chain[:-1]:
            shown = " -> ".join(part.rpartition("#")[2] for part in chain)
            raise ConfigError(
                [f"{said.mark}: {place}: a cycle: {shown}"], remedy="remove one of these extends"
            )
        if len(chain) > _MAX_DEPTH:
            raise ConfigError(
                [f"{said.mark}: {place}: services extend one another more than {_MAX_DEPTH} deep"],
                remedy="write the keys out",
            )
        wanted, file = said.get("service"), said.get("file")
        if wanted is None and isinstance(said.value, dict):
            self._report.fault(said.mark, f"{place}: the key service is missing")
            return None
        ref = str((wanted or said).value)
        if file is None or file.value is None:
            if ref in services.map():
                return self.service(ref, services, chain)
            self._unknown(said, place, ref, services, "")
            return None
        base = self._files.get(str(file.value)) or self._open(str(file.value), file.mark)
        self._files[str(file.value)] = base
        theirs = base.tree.get("services") or Node({}, base.tree.mark)
        if ref in theirs.map():
            return base.extender.service(ref, theirs, chain)
        self._unknown(said, place, ref, theirs, f" in {base.file}")
        return None

    def _unknown(self, said: Node, place: str, ref: str, services: Node, where: str) -> None:
        self._report.fault(
            said.mark,
            f"{place}: there is no service {ref!r}{where}",
            word=ref,
            known=services.map(),
        )


def _weight(node: Node) -> int:
    """How many values it holds."""
    weight, left = 0, [node]
    while left:
        found = left.pop()
        weight += 1
        left.extend(found.map().values())
        left.extend(found.items())
    return weight
