"""JSON Schema (draft 2020-12), made safe for schemas that strangers send.

`jsonschema` would match patterns without a time limit and fetch remote `$ref`s from the network;
here patterns go through `examiner.regexes`, references stay within the schema, and a schema whose
references multiply is stopped. Imported at first use: it is the heaviest import of the service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from examiner import regexes
from examiner.faults import Fault
from examiner.regexes import RuleError

# A schema of 30 lines can ask for 2**30 visits. Ordinary ones need a few per record.
MAX_REFERENCES = 100_000
UNSUPPORTED = frozenset({"patternProperties", "$dynamicRef"})


class Schema:
    """A checked schema. Its budget of references is for all records together."""

    def __init__(self, schema: Mapping[str, Any]):
        """Raises RuleError naming the place in the schema that is wrong."""
        _refuse_unsupported(schema, "schema")
        self._references = 0
        self._validator = self._build(schema)

    def faults(self, record: object) -> Iterator[Fault]:
        """Everything in `record` that the schema does not allow, in the order of its fields."""
        from referencing.exceptions import Unresolvable

        try:
            errors = sorted(self._validator.iter_errors(record), key=lambda e: e.json_path)
        except Unresolvable as error:
            raise RuleError(
                f"the schema's $ref {error.ref!r} leads nowhere within it; "
                "put what it means under $defs (nothing is fetched from the network)"
            ) from error
        except RecursionError as error:
            raise RuleError(
                "the schema or the record nests too deeply, or a $ref leads to itself"
            ) from error
        for found in errors:
            field = ".".join(str(part) for part in found.absolute_path)
            yield Fault(field, _readable(found.message), found.instance)

    def _build(self, schema: Mapping[str, Any]) -> Any:
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError
        from jsonschema.validators import extend
        from referencing.jsonschema import EMPTY_REGISTRY

        declared = schema.get("$schema", Draft202012Validator.META_SCHEMA["$id"])
        if declared != Draft202012Validator.META_SCHEMA["$id"]:
            raise RuleError(
                f"$schema is {declared!r}; draft 2020-12 is what is understood here "
                f"({Draft202012Validator.META_SCHEMA['$id']})"
            )
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise RuleError(f"{error.json_path}: {_readable(error.message)}") from error
        except RecursionError as error:
            raise RuleError("the schema nests too deeply") from error
        original = Draft202012Validator.VALIDATORS["$ref"]

        def reference(validator: Any, ref: Any, instance: Any, within: Any) -> Iterator[Any]:
            self._references += 1
            if self._references > MAX_REFERENCES:
                raise RuleError(
                    f"following its $refs takes more than {MAX_REFERENCES:,} visits; "
                    "flatten the schema or send fewer records"
                )
            yield from original(validator, ref, instance, within)

        kind = extend(Draft202012Validator, {"pattern": _pattern, "$ref": reference})
        return kind(
            schema,
            registry=EMPTY_REGISTRY,
            format_checker=Draft202012Validator.FORMAT_CHECKER,
        )


def _pattern(validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    if isinstance(instance, str) and not regexes.search(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _refuse_unsupported(value: Any, where: str) -> None:
    """Keywords whose patterns or scopes the library resolves out of our reach."""
    pending = [(value, where)]
    while pending:
        value, where = pending.pop()
        if isinstance(value, Mapping):
            for key, inner in value.items():
                if key in UNSUPPORTED:
                    raise RuleError(
                        f"{where}.{key} is not supported; list the properties by name, "
                        "or use propertyNames"
                    )
                pending.append((inner, f"{where}.{key}"))
        elif isinstance(value, list):
            pending += [(inner, f"{where}.{index}") for index, inner in enumerate(value)]


def _readable(message: str, limit: int = 300) -> str:
    return message if len(message) <= limit else message[: limit - 1] + "…"
