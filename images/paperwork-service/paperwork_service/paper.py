"""What a paper is made of, whatever format it is written in: a title and blocks, top to bottom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Align = Literal["left", "center", "right"]


@dataclass(frozen=True, slots=True)
class Column:
    """`share` is of the width between the margins; the shares of a table add up to 1."""

    title: str
    share: float
    align: Align = "left"


@dataclass(frozen=True, slots=True)
class Pairs:
    """A ruled grid of labels and what they say, one or two pairs a row."""

    rows: list[list[list[str]]]


@dataclass(frozen=True, slots=True)
class Table:
    """A ruled table; its head is repeated on every page it goes on to."""

    columns: list[Column]
    rows: list[list[str]]


@dataclass(frozen=True, slots=True)
class Sums:
    """One row of labels and amounts that nobody overlooks."""

    pairs: list[list[str]]


@dataclass(frozen=True, slots=True)
class Text:
    """Paragraphs, one a line. `size` is in points; `space` comes before, in points."""

    text: str
    align: Align = "left"
    bold: bool = False
    size: float = 10
    space: float = 0


@dataclass(frozen=True, slots=True)
class Signatures:
    """Parties side by side: who they are, and the lines under it."""

    parties: list[list[str]]


Block = Pairs | Table | Sums | Text | Signatures
_BLOCKS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Pairs, Table, Sums, Text, Signatures)
}


@dataclass(frozen=True, slots=True)
class Paper:
    """`note` stands small above the title (a number, a copy's name)."""

    title: str
    note: str
    author: str
    blocks: list[Block]


def to_json(paper: Paper) -> dict[str, Any]:
    """Plain data, for the child process that writes it."""
    return {
        **{name: getattr(paper, name) for name in ("title", "note", "author")},
        "blocks": [[type(block).__name__, _members(block)] for block in paper.blocks],
    }


def from_json(stored: dict[str, Any]) -> Paper:
    """What `to_json` gave."""
    return Paper(**{**stored, "blocks": [_block(kind, body) for kind, body in stored["blocks"]]})


def _members(block: Block) -> dict[str, Any]:
    found = {name: getattr(block, name) for name in type(block).__slots__}
    if isinstance(block, Table):
        found["columns"] = [[c.title, c.share, c.align] for c in block.columns]
    return found


def _block(kind: str, members: dict[str, Any]) -> Block:
    if kind == Table.__name__:
        members = {**members, "columns": [Column(*column) for column in members["columns"]]}
    block: Block = _BLOCKS[kind](**members)
    return block
