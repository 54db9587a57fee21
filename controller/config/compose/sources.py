"""From the files that were named to one tree: read, interpolated, included, extended and merged.

The order is the reference's: in every file `include` comes first, then `extends`, and only then is
the file laid over those before it. What an included or extended file says of paths is seen from
its own folder; `.env` beside an included file serves that file alone.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from controller.config.compose import dotenv
from controller.config.compose.extends import Base, Extender
from controller.config.compose.interpolate import interpolate_tree
from controller.config.compose.merge import beside, merge_all
from controller.config.compose.rebase import absolute, rebase
from controller.config.compose.schema import check_structure
from controller.config.node import Mark, Node, Report
from controller.config.yaml12 import read_documents
from controller.errors import ConfigError

# Nobody nests more; a chain of small files could be endless.
_MAX_DEPTH = 20
# Reading costs by the file and by the character. Large stacks have a tenth of this, and more could
# keep a hub busy for long; what takes no time to read is counted as if it were a page.
MAX_CHARS = 768 * 1024
_PAGE = 1024
_SECTIONS = ("services", "volumes", "networks", "secrets", "configs", "models")


class Reader(Protocol):
    """Reads a text file; `controller.config.files.FileReader` is the one that does."""

    def read(self, path: str, *, root: str | None = None, missing_ok: bool = False) -> str | None:
        """The text, or None if missing and `missing_ok`. Raises ConfigError."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where files are read: the folder their paths are seen from, their variables, and the files
    that led here. `root` is the folder that no included or extended file may leave.
    """

    folder: str
    root: str
    env: Mapping[str, str]
    chain: tuple[str, ...] = ()

    def path(self, text: str) -> str:
        """The absolute path of what is said here."""
        return absolute(text, self.folder, self.env)


@dataclass(frozen=True, slots=True)
class _Include:
    """One entry of `include`, its paths absolute."""

    paths: tuple[str, ...]
    folder: str
    env_files: tuple[str, ...] | None
    mark: Mark


class Sources:
    """Loads sets of files; faults go to `report` and end the load where nothing can go on."""

    def __init__(self, reader: Reader, report: Report) -> None:
        self._reader = reader
        self._report = report
        self._chars = 0
        self.scoped: dict[tuple[str, str, str], str] = {}
        """Values of variables that secrets and configs of included files are made of, by section,
        key and variable: those of their own file, of which the others know nothing."""

    def documents(self, files: tuple[str, ...], place: Place | None = None) -> list[Node]:
        """Every document of the files as it stands, not interpolated."""
        trees: list[Node] = []
        for path in files:
            try:
                text = self._reader.read(path, root=place.root if place else None) or ""
                self._count(path, text)
                trees.extend(read_documents(text, path))
            except ConfigError as error:
                self._report.faults.extend(error.faults)
        self._report.check()
        return trees

    def _count(self, path: str, text: str) -> None:
        """Raises ConfigError where too much has been read; one file may be read very often."""
        self._chars += max(len(text), _PAGE)
        if self._chars > MAX_CHARS:
            raise ConfigError(
                [
                    f"{path}: with this file the compose files hold more than {MAX_CHARS} "
                    f"characters in all (a small one counts as {_PAGE})"
                ],
                remedy="include fewer or smaller files",
            )

    def merged(self, trees: list[Node], place: Place) -> Node:
        """One tree of the documents, in which nothing is included or extended any more."""
        expanded: list[Node] = []
        for tree in trees:
            self._report.laid_over = bool(expanded)
            expanded.append(self._expanded(tree, place))
        self._report.laid_over = False
        self._report.check()
        ready = []
        for tree in expanded:
            included = self._with_included(tree, place)
            extender = Extender(self._report, lambda file, mark: self._base(file, mark, place))
            ready.append(extender.applied(included))
            self._report.check()
        merged = merge_all(ready, self._report)
        self._report.check()
        return merged

    def _expanded(self, tree: Node, place: Place) -> Node:
        expanded = interpolate_tree(tree, place.env.get, self._report)
        check_structure(expanded, self._report)
        version = expanded.get("version")
        if version is not None:
            self._report.warn(version.mark, "version: obsolete, it has no effect")
        return expanded

    def _base(self, file: str, mark: Mark, place: Place) -> Base:
        """The services of a file that is extended, seen from the folder of that file."""
        path = place.path(file)
        folder = posixpath.dirname(path)
        inside = replace(place, folder=folder, chain=_longer(place, path, mark, "extends"))
        trees = self._read_at(mark, "extends", (path,), inside)
        before, self._report.laid_over = self._report.laid_over, True
        tree = merge_all([self._expanded(tree, inside) for tree in trees], self._report)
        self._report.laid_over = before
        self._report.check()
        again = Extender(self._report, lambda below, at: self._base(below, at, inside), path)
        return Base(path, again, rebase(tree, folder, inside.env))

    def _with_included(self, tree: Node, place: Place) -> Node:
        said = tree.get("include")
        if said is None:
            return tree
        sections = {key: child for key, child in tree.map().items() if key != "include"}
        for entry in _entries(said, place, self._report):
            included = self._included(entry, place)
            for kind in _SECTIONS:
                found = included.get(kind)
                if found is not None and found.map():
                    ours = sections.get(kind) or Node({}, said.mark)
                    sections[kind] = beside(ours, found, kind, self._report)
        self._report.check()
        return Node(sections, tree.mark)

    def _included(self, entry: _Include, place: Place) -> Node:
        main = entry.paths[0]
        chain = _longer(place, main, entry.mark, "include")
        found = {**self._variables(entry, place), **place.env}
        inside = replace(place, folder=entry.folder, env=found, chain=chain)
        trees = self._read_at(entry.mark, "include", entry.paths, inside)
        tree = rebase(self.merged(trees, inside), entry.folder, found)
        self._note_scoped(tree, found)
        return _with_variables(tree, found)

    def _note_scoped(self, tree: Node, env: Mapping[str, str]) -> None:
        for kind in ("secrets", "configs"):
            section = tree.get(kind)
            for key, resource in section.map().items() if section else ():
                said = resource.get("environment")
                if said is not None and (value := env.get(str(said.value))) is not None:
                    # What came of a file that this one includes was noted there.
                    self.scoped.setdefault((kind, key, str(said.value)), value)

    def _variables(self, entry: _Include, place: Place) -> dict[str, str]:
        files = entry.env_files
        optional = files is None
        if files is None:
            files = (posixpath.join(entry.folder, ".env"),)

        def text(path: str) -> str | None:
            try:
                return self._reader.read(path, root=place.root, missing_ok=optional)
            except ConfigError as error:
                for fault in error.faults:
                    self._report.fault(entry.mark, f"include.env_file: {fault}")
                return None

        return dotenv.parse_all(((path, text(path)) for path in files), place.env, self._report)

    def _read_at(self, mark: Mark, key: str, paths: tuple[str, ...], place: Place) -> list[Node]:
        before = len(self._report.faults)
        try:
            trees = self.documents(paths, place)
        except ConfigError:
            found = self._report.faults[before:]
            self._report.faults[before:] = [
                fault if fault.startswith(f"{mark}: ") else f"{mark}: {key}: {fault}"
                for fault in found
            ]
            self._report.check()
            raise
        if not trees:
            self._report.fault(mark, f"{key}: {paths[0]} is empty")
            self._report.check()
        return trees


def _longer(place: Place, path: str, mark: Mark, key: str) -> tuple[str, ...]:
    """The chain with one file more. Raises ConfigError where it would never end."""
    chain = (*place.chain, path)
    if key == "include" and path in place.chain:
        shown = " -> ".join(chain[chain.index(path) :])
        raise ConfigError(
            [f"{mark}: include: a cycle: {shown}"], remedy="remove one of these includes"
        )
    if len(chain) > _MAX_DEPTH:
        raise ConfigError(
            [f"{mark}: {key}: files lead to one another more than {_MAX_DEPTH} deep"],
            remedy="put the files together",
        )
    return chain


def _entries(said: Node, place: Place, report: Report) -> Iterator[_Include]:
    for item in said.items():
        table = item if isinstance(item.value, dict) else Node({"path": item}, item.mark)
        paths = [place.path(text) for text in _texts(table.get("path"))]
        if not paths:
            if table.get("path") is None:
                report.fault(item.mark, "include: the key path is missing")
            continue
        folder = table.get("project_directory")
        env_files = table.get("env_file")
        yield _Include(
            tuple(paths),
            place.path(str(folder.value)) if folder is not None else posixpath.dirname(paths[0]),
            None
            if env_files is None or not _texts(env_files)
            else tuple(place.path(text) for text in _texts(env_files) if text != "/dev/null"),
            item.mark,
        )


def _texts(node: Node | None) -> list[str]:
    if node is None:
        return []
    found = node.items() if isinstance(node.value, list) else [node]
    return [str(item.value) for item in found if item.value is not None]


def _with_variables(tree: Node, env: Mapping[str, str]) -> Node:
    """The tree, its variables without a value taken from those of the included file."""
    services = tree.get("services")
    if services is None:
        return tree
    changed = {name: _filled(service, env) for name, service in services.map().items()}
    return Node({**tree.map(), "services": Node(changed, services.mark)}, tree.mark, tree.tag)


def _filled(service: Node, env: Mapping[str, str]) -> Node:
    # Only of lines, as the reference does it.
    said = service.get("environment")
    if said is None or not isinstance(said.value, list):
        return service

    def line(item: Node) -> Node:
        name = str(item.value)
        named = "=" not in name and name in env
        return Node(f"{name}={env[name]}", item.mark) if named else item

    filled = Node([line(item) for item in said.value], said.mark, said.tag)
    return Node({**service.map(), "environment": filled}, service.mark, service.tag)
