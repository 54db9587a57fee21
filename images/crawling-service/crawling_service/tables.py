"""Tables of a page as rows under their headers: merged cells spread, nested ones apart. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_TABLES = 100
_MAX_COLUMNS = 100
_FURNITURE = frozenset({"nav", "header", "footer", "aside", "template", "noscript"})


@dataclass(frozen=True, slots=True)
class Table:
    """`name` is the table's id, caption or ordinal; `rows` are as long as `headers`."""

    name: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    is_header: bool


def clean(text: str) -> str:
    """Every run of white space as one space."""
    return " ".join(text.split())


def read_tables(tree: LexborHTMLParser, max_rows: int) -> tuple[tuple[Table, ...], bool]:
    """Those with a header row and data (a layout table holds no records), and whether there is
    more than is read."""
    found: list[Table] = []
    nodes = tree.css("table")
    cut = len(nodes) > MAX_TABLES
    for node in nodes[:MAX_TABLES]:
        if not _in_furniture(node):
            table = _table(node, len(found), max_rows)
            if table is not None:
                found.append(table)
                cut |= len(table.rows) >= max_rows
    return tuple(found), cut


def _table(node: LexborNode, index: int, max_rows: int) -> Table | None:
    rows = [row for row in node.css("tr")[: max_rows + 1] if _owner(row) == node]
    grid = [line for line in _spread(rows) if line]
    in_head = bool(rows) and rows[0].parent is not None and rows[0].parent.tag == "thead"
    if len(grid) < 2 or not (in_head or all(cell.is_header for cell in grid[0])):
        return None
    headers = _unique([cell.text or f"column_{i + 1}" for i, cell in enumerate(grid[0])])
    data = tuple(
        tuple(([cell.text for cell in line] + [""] * len(headers))[: len(headers)])
        for line in grid[1:]
        if not all(cell.is_header for cell in line)
    )
    caption = node.css_first("caption")
    name = node.attributes.get("id") or (clean(caption.text()) if caption else "")
    return Table(name or f"table_{index + 1}", headers, data) if data else None


def _spread(rows: list[LexborNode]) -> list[list[_Cell]]:
    """The grid with `rowspan` and `colspan` filled in, as a reader sees it."""
    grid: list[list[_Cell]] = []
    hanging: dict[int, tuple[int, _Cell]] = {}  # column → rows still covered from above
    for row in rows:
        line: list[_Cell] = []
        for node in _cells(row):
            _fill(line, hanging)
            cell = _Cell(clean(node.text()), node.tag == "th")
            down = _span(node, "rowspan")
            for _ in range(_span(node, "colspan")):
                if len(line) >= _MAX_COLUMNS:
                    break
                if down > 1:
                    hanging[len(line)] = (down - 1, cell)
                line.append(cell)
        _fill(line, hanging)
        grid.append(line)
    return grid


def _fill(line: list[_Cell], hanging: dict[int, tuple[int, _Cell]]) -> None:
    while len(line) in hanging:
        column = len(line)
        left, cell = hanging.pop(column)
        if left > 1:
            hanging[column] = (left - 1, cell)
        line.append(cell)


def _cells(row: LexborNode) -> list[LexborNode]:
    return [child for child in row.iter() if child.tag in {"th", "td"}]


def _span(node: LexborNode, name: str) -> int:
    text = node.attributes.get(name) or ""
    return min(max(int(text), 1), _MAX_COLUMNS) if text.isdecimal() and len(text) < 5 else 1


def _owner(row: LexborNode) -> LexborNode | None:
    node = row.parent
    while node is not None and node.tag != "table":
        node = node.parent
    return node


def _in_furniture(node: LexborNode) -> bool:
    parent = node.parent
    while parent is not None:
        if parent.tag in _FURNITURE:
            return True
        parent = parent.parent
    return False


def _unique(names: list[str]) -> tuple[str, ...]:
    """The second `name` becomes `name_2`: headers are the keys of records."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return tuple(result)
