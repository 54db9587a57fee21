"""Frozen dataclasses as the JSON bodies of rows, and back; one way for all tables."""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from controller.errors import StoreError

T = TypeVar("T")


def dumped(adapter: TypeAdapter[T], value: T) -> str:
    # Not dump_json, which writes an infinite number as null, which could never be read back.
    return json.dumps(adapter.dump_python(value, mode="json"), ensure_ascii=False)


def loaded(adapter: TypeAdapter[T], raw: str) -> T:
    """Raises StoreError."""
    try:
        return adapter.validate_json(raw)
    except ValidationError as error:
        raise StoreError(
            f"A stored row is not what this hub writes: {error}",
            remedy="Restore the hub's database from a backup, or move it away to start afresh.",
        ) from error
