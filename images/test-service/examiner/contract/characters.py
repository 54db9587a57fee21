"""The tables of characters that random text is drawn from; run as a module, it makes them.

They take 280 MB to make and 10 MB to read. The image brings them along; elsewhere a process that
is gone afterwards makes them, or the first test would run into its own memory limit.
"""

from __future__ import annotations

from hypothesis.internal.charmap import charmap, charmap_file, intervals_from_codec

CODEC = "utf-8"


def made() -> bool:
    """Whether both tables are in the folder that HYPOTHESIS_STORAGE_DIRECTORY names."""
    return charmap_file().exists() and any(charmap_file().parent.glob(f"codec-*{CODEC}*"))


if __name__ == "__main__":
    charmap()
    intervals_from_codec(CODEC)
