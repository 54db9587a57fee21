"""Asks tesseract what words a picture shows, and where. Part of the child process.

Tesseract is called directly, the picture on its standard input: nothing is written to a disk, and
it inherits the child's own bounds on memory and processor time.
"""

from __future__ import annotations

import csv
import os
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from paperwork_service.seen import Line, Word

if TYPE_CHECKING:
    from PIL import Image

_WORD = "5"
_TABS = 11


class UnreadableError(Exception):
    """Tesseract ended without an answer; the message says how."""


def read_lines(picture: Image.Image, languages: str, seconds: float) -> list[Line]:
    """The words of a grey picture, line by line. Raises UnreadableError."""
    header = f"P5 {picture.width} {picture.height} 255\n".encode()
    options = ["-l", languages, "--psm", "6", "--dpi", "300", "txt", "tsv"]
    command = ["tesseract", "stdin", "stdout", *options]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command; the picture is its input
            command,
            input=header + picture.tobytes(),
            capture_output=True,
            timeout=max(0.1, seconds),
            check=False,
            # One thread: more only take turns on the one processor a document may use.
            env={"PATH": os.environ.get("PATH", os.defpath), "OMP_THREAD_LIMIT": "1"},
        )
    except FileNotFoundError:
        raise UnreadableError("tesseract is not installed") from None
    except subprocess.TimeoutExpired:
        raise UnreadableError("it took too long") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise UnreadableError(f"tesseract ended with {done.returncode}: {said[:200]}")
    return parse(done.stdout.decode("utf-8", errors="replace"), picture.width, picture.height)


def parse(output: str, width: int, height: int) -> list[Line]:
    """Pure: tesseract's table of words, followed by its text, as lines of words.

    The table cuts Korean words into syllables, at gaps that mean nothing; the text tells which
    belong together.
    """
    rows = output.split("\n")
    end = next((n for n, row in enumerate(rows) if row.count("\t") != _TABS), len(rows))
    tokens = iter(" ".join(rows[end:]).split())
    rest = ""
    lines: dict[tuple[str, ...], list[_Box]] = {}
    for row in csv.DictReader(rows[:end], delimiter="\t", quoting=csv.QUOTE_NONE):
        text = row["text"].strip()
        if row["level"] != _WORD or not text:
            continue
        boxes = lines.setdefault((row["block_num"], row["par_num"], row["line_num"]), [])
        goes_on = bool(rest) and bool(boxes)
        rest = rest or next(tokens, "")
        # Where table and text do not agree, every word stands for itself.
        rest = rest.removeprefix(text) if rest.startswith(text) else ""
        box = _Box.of(row, text)
        if goes_on:
            boxes[-1] = boxes[-1].joined(box)
        else:
            boxes.append(box)
    return [
        [
            Word(b.text, b.sure, b.left / width, b.top / height, b.right / width, b.bottom / height)
            for b in boxes
        ]
        for boxes in lines.values()
    ]


class _Box(NamedTuple):
    """A word in pixels."""

    text: str
    sure: float
    left: int
    top: int
    right: int
    bottom: int

    @staticmethod
    def of(row: dict[str, str], text: str) -> _Box:
        left, top = int(row["left"]), int(row["top"])
        right, bottom = left + int(row["width"]), top + int(row["height"])
        return _Box(text, max(0.0, float(row["conf"])) / 100, left, top, right, bottom)

    def joined(self, other: _Box) -> _Box:
        return _Box(
            self.text + other.text,
            min(self.sure, other.sure),
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )
