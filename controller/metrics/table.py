"""Buckets of one subject by columns, as they are held, packed and read; pure.

A chart needs one column of many, and of that every number; rows of objects would take fifty times
the memory. Packed, the bytes of a column stand by their weight, so that those that hardly change
stand together: what little a float differs from the one before is all that takes room.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import orjson
import zstandard

from controller.model.metric import Bucket, Spread, spread

_ABSENT = math.nan
_compress = zstandard.ZstdCompressor(level=6).compress
_decompress = zstandard.ZstdDecompressor().decompress
_LARGEST = 16 << 20
LATENCIES = "latencies"
"""The name by which `unpack` is asked for how long things took."""
_SWAPPED = sys.byteorder == "big"


def _floats(count: int = 0) -> array[float]:
    return array("f", [_ABSENT]) * count


@dataclass(slots=True)
class Gauge:
    """The columns of a gauge. Of single measurements the mean is all there is."""

    mean: array[float]
    low: array[float]
    high: array[float]
    n: array[float]

    def columns(self, rolled: bool) -> tuple[array[float], ...]:
        return (self.mean, self.low, self.high, self.n) if rolled else (self.mean,)


@dataclass(slots=True)
class Table:
    """Buckets of `step` seconds; `rolled` where each is made of several. A NaN was not seen."""

    step: int
    rolled: bool
    times: array[int] = field(default_factory=lambda: array("I"))
    gauges: dict[str, Gauge] = field(default_factory=dict)
    counts: dict[str, array[float]] = field(default_factory=dict)
    # Of each bucket, how many classes of latency it has; and of each such, which and how many.
    sizes: array[int] = field(default_factory=lambda: array("B"))
    classes: array[int] = field(default_factory=lambda: array("B"))
    tallies: array[int] = field(default_factory=lambda: array("I"))

    def __len__(self) -> int:
        return len(self.times)

    def append(self, bucket: Bucket) -> None:
        before = len(self.times)
        self.times.append(bucket.at)
        for name in bucket.gauges.keys() - self.gauges.keys():
            columns = (_floats(before if i == 0 or self.rolled else 0) for i in range(4))
            self.gauges[name] = Gauge(*columns)
        for name in bucket.counts.keys() - self.counts.keys():
            self.counts[name] = _floats(before)
        for name, gauge in self.gauges.items():
            self._measure(gauge, bucket.gauges.get(name))
        for name, column in self.counts.items():
            column.append(bucket.counts.get(name, _ABSENT))
        self.sizes.append(len(bucket.latencies))
        for number, tally in sorted(bucket.latencies.items()):
            self.classes.append(number)
            self.tallies.append(round(tally))

    def _measure(self, gauge: Gauge, found: Spread | None) -> None:
        gauge.mean.append(found.mean if found else _ABSENT)
        if self.rolled:
            gauge.low.append(found.low if found else _ABSENT)
            gauge.high.append(found.high if found else _ABSENT)
            gauge.n.append(found.n if found else _ABSENT)

    def extend(self, buckets: Iterable[Bucket]) -> None:
        for bucket in buckets:
            self.append(bucket)

    def copy(self) -> Table:
        """As it is now, for another thread."""
        return Table(
            self.step,
            self.rolled,
            self.times[:],
            {
                name: Gauge(gauge.mean[:], gauge.low[:], gauge.high[:], gauge.n[:])
                for name, gauge in self.gauges.items()
            },
            {name: column[:] for name, column in self.counts.items()},
            self.sizes[:],
            self.classes[:],
            self.tallies[:],
        )

    def spreads(self, name: str) -> Iterator[tuple[int, float, float, float, float]]:
        """Time, mean, least, most and number of what was seen of a gauge."""
        gauge = self.gauges.get(name)
        if gauge is None:
            return
        if self.rolled:
            rows = zip(self.times, gauge.mean, gauge.low, gauge.high, gauge.n, strict=True)
            yield from (row for row in rows if row[1] == row[1])
            return
        for at, mean in zip(self.times, gauge.mean, strict=True):
            if mean == mean:
                yield at, mean, mean, mean, 1.0

    def tally(self, name: str) -> Iterator[tuple[int, float]]:
        """Time and number of what was counted."""
        column = self.counts.get(name)
        if column is not None:
            yield from (
                (at, count) for at, count in zip(self.times, column, strict=True) if count == count
            )

    def latencies(self) -> Iterator[tuple[int, int, int]]:
        """Time, class and number of how long something took."""
        place = 0
        for at, size in zip(self.times, self.sizes, strict=True):
            for _ in range(size):
                yield at, self.classes[place], self.tallies[place]
                place += 1

    def buckets(self, since: int = 0, until: int = 1 << 62) -> Iterator[Bucket]:
        """Those that begin from `since` to before `until`."""
        place = 0
        for i, at in enumerate(self.times):
            if since <= at < until:
                yield self._bucket(i, place)
            place += self.sizes[i]

    def last(self) -> Bucket | None:
        """The one that was appended last."""
        if not self.times:
            return None
        return self._bucket(len(self) - 1, len(self.classes) - self.sizes[-1])

    def _bucket(self, i: int, place: int) -> Bucket:
        gauges = {
            name: Spread(gauge.low[i], gauge.mean[i], gauge.high[i], gauge.n[i])
            if self.rolled
            else spread(gauge.mean[i])
            for name, gauge in self.gauges.items()
            if gauge.mean[i] == gauge.mean[i]
        }
        counts = {n: column[i] for n, column in self.counts.items() if column[i] == column[i]}
        end = place + self.sizes[i]
        found = zip(self.classes[place:end], self.tallies[place:end], strict=True)
        return Bucket(self.times[i], self.step, gauges, counts, dict(found))


def pack(table: Table) -> bytes:
    """The table as bytes that `unpack` reads."""
    first = table.times[0] if table.times else 0
    columns: list[array[float]] = []
    for gauge in table.gauges.values():
        columns += gauge.columns(table.rolled)
    columns += table.counts.values()
    head = {
        "step": table.step,
        "rolled": table.rolled,
        "n": len(table),
        "first": first,
        "gauges": list(table.gauges),
        "counts": list(table.counts),
        "classes": len(table.classes),
    }
    offsets = array("i", (at - first for at in table.times))
    parts: list[bytes] = [orjson.dumps(head), b"\n", _split(offsets)]
    parts += map(_split, columns)
    parts += [table.sizes.tobytes(), table.classes.tobytes(), _split(table.tallies)]
    return _compress(b"".join(parts))


def unpack(body: bytes, wanted: Collection[str] | None = None) -> Table:
    """What `pack` packed, or of it only these columns. Raises ValueError where it is damaged."""
    try:
        head, _, rest = _decompress(body, max_output_size=_LARGEST).partition(b"\n")
        facts = orjson.loads(head)
        return _unpacked(facts, memoryview(rest), wanted)
    except (zstandard.ZstdError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"a block of measurements is damaged: {error}") from error


def _unpacked(
    facts: Mapping[str, object], rest: memoryview, wanted: Collection[str] | None
) -> Table:
    n, found = int(str(facts["n"])), int(str(facts["classes"]))
    rolled = bool(facts["rolled"])
    table = Table(int(str(facts["step"])), rolled)
    place = 0

    def column(code: str, size: int) -> array[float]:
        nonlocal place
        width = array(code).itemsize
        piece = bytes(rest[place : place + size * width])
        place += size * width
        if len(piece) != size * width:
            raise ValueError("it is too short")
        return _joined(code, piece)

    first = int(str(facts["first"]))
    table.times = array("I", (int(offset) + first for offset in column("i", n)))
    for name in _names(facts["gauges"]):
        if wanted is not None and name not in wanted:
            place += n * array("f").itemsize * (4 if rolled else 1)
            continue
        mean = column("f", n)
        others = (column("f", n if rolled else 0) for _ in range(3))
        table.gauges[name] = Gauge(mean, *others)
    for name in _names(facts["counts"]):
        if wanted is not None and name not in wanted:
            place += n * array("f").itemsize
            continue
        table.counts[name] = column("f", n)
    if wanted is not None and LATENCIES not in wanted:
        table.sizes = array("B", bytes(n))
        return table
    table.sizes = array("B", bytes(rest[place : place + n]))
    table.classes = array("B", bytes(rest[place + n : place + n + found]))
    place += n + found
    table.tallies = array("I", map(int, column("I", found)))
    return table


def _names(value: object) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else []


def _split(column: array[float] | array[int]) -> bytes:
    """The bytes of a column by their weight: first the lowest of all, then the next."""
    if _SWAPPED:
        column = column[:]
        column.byteswap()
    raw, width = column.tobytes(), column.itemsize
    return b"".join(raw[i::width] for i in range(width))


def _joined(code: str, split: bytes) -> array[float]:
    column: array[float] = array(code)
    width = column.itemsize
    raw = bytearray(len(split))
    size = len(split) // width
    for i in range(width):
        raw[i::width] = split[i * size : (i + 1) * size]
    column.frombytes(raw)
    if _SWAPPED:
        column.byteswap()
    return column
