"""Whether a run may begin: its key, the size of its input, and the workflow's own schema.

Everything that is wrong is said at once, by the place where it stands.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from jsonschema import Draft202012Validator

from controller.errors import RunInputError
from controller.model.workflow import Definition

MAX_INPUT = 1_048_576
_MAX_FAULTS = 20
_MAX_KEY = 255


def check(definition: Definition, given: Any, key: str | None) -> None:
    """Raises RunInputError with every fault."""
    if key is not None and not (0 < len(key) <= _MAX_KEY and key.isascii() and key.isprintable()):
        raise RunInputError(
            ["Idempotency-Key: it must be 1 to 255 printable ASCII characters"],
            remedy="Send a shorter key, such as a UUID.",
        )
    try:
        size = len(json.dumps(given, ensure_ascii=False, allow_nan=False).encode())
    except (ValueError, RecursionError) as error:
        raise RunInputError([f"input: it is not JSON that can be kept: {error}"]) from error
    if size > MAX_INPUT:
        raise RunInputError(
            [f"input: it has {size} bytes; {MAX_INPUT} are allowed"],
            remedy="Store the data where the services can read it, and pass its address.",
        )
    if definition.input_schema is None:
        return
    validator = Draft202012Validator(definition.input_schema)
    faults = []
    for fault in validator.iter_errors(given):
        where = ".".join(("input", *(str(part) for part in fault.absolute_path)))
        faults.append(f"{where}: {fault.message[:300]}")
        if len(faults) == _MAX_FAULTS:
            break
    if faults:
        raise RunInputError(
            faults, remedy=f"GET /workflows/{definition.name} holds the schema of its input."
        )


def digest_of(given: Any) -> str:
    """Tells whether two inputs mean the same, however they are written."""
    canonical = json.dumps(given, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
