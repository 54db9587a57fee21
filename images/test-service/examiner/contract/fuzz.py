"""Requests made from an OpenAPI document, by schemathesis, with respect for what is not ours.

Imported by processes of their own only: the library costs 40 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import requests
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from examiner.contract.cleanup import Cleaner
from examiner.contract.findings import Findings
from examiner.contract.ledger import stand_in
from examiner.contract.plan import Plan
from examiner.contract.promises import new_key
from examiner.contract.tally import Failure
from examiner.contract.thinning import thinned

READING = frozenset({"GET", "HEAD", "OPTIONS"})
STATEFUL = "stateful"
# Checks that mean the very id that was put in: with another in its place they say nothing.
_OF_THE_ID = frozenset({"ensure_resource_availability", "use_after_free"})
NOTHING_SELECTED = "nothing_selected"


class Fuzz:
    """One run over one document; what it finds is added to `found`.

    `tell` is called after every scenario; once `over`, it ends.
    """

    def __init__(
        self,
        plan: Plan,
        document: dict[str, Any],
        found: Findings,
        cleaner: Cleaner,
        tell: Callable[[], None],
        over: Callable[[], bool],
    ):
        self._plan = plan
        self._document = document
        self._tally = found.tally
        self._ledger = found.ledger
        self._cleaner = cleaner
        self._tell = tell
        self._over = over
        self._stream: Any = None
        self._ended: str | None = None
        self._stateful = False
        self._replaced: set[str] = set()

    def run(self) -> str | None:
        """Why it ended before all was done, or None."""
        whole = schemathesis.openapi.from_dict(self._document, config=_config(self._plan))
        schema = whole.include(lambda context: self._plan_selects(context.operation.label))
        for found in schema.get_all_operations():
            operation = found.ok() if hasattr(found, "ok") else None
            if operation is not None:
                self._tally.expect(operation.label)
        if not self._tally.cases:
            return NOTHING_SELECTED
        self._hook(schema)
        self._bound_coverage(schema)
        self._stream = from_schema(schema).execute()
        for event in self._stream:
            self._take(event)
            self._tell()
        self._cleaner.flush()
        return self._ended

    def _hook(self, schema: Any) -> None:
        # The library marks the functions it is given, which methods do not allow.
        @schemathesis.hook
        def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
            self._before(case)

        @schemathesis.hook
        def after_call(context: Any, case: Any, response: Any) -> None:
            self._after(case, response)

        @schema.hook  # type: ignore[untyped-decorator]
        def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
            return self._is_failure(failure, case, response)

    def _bound_coverage(self, schema: Any) -> None:
        # No hook sees all cases of an operation, and without that nothing can be shared out.
        every = schema.iter_coverage_cases

        def bounded(operation: Any, **settings: Any) -> Iterator[Any]:
            cases = list(every(operation, **settings))
            kept = thinned(
                [_kind(case) for case in cases], self._plan.max_coverage, self._plan.seed
            )
            self._tally.left_out[operation.label] = len(cases) - len(kept)
            return iter([cases[index] for index in kept])

        schema.iter_coverage_cases = bounded

    def _plan_selects(self, label: str) -> bool:
        return selected(label, self._plan)

    def _before(self, case: Any) -> None:
        # A scenario of a slow operation may take minutes, so each case asks.
        if self._ended is None and self._over():
            self._ended = "time_limit"
            self._stream.stop()
        # What a stateful scenario made is needed until its end; any other case is over by now.
        self._cleaner.flush(finished_only=self._stateful)
        if case.method.upper() in READING:
            return
        if f"{case.operation.path}/compensate" in self._document["paths"]:
            self._give_key(case)
        for name, value in dict(case.path_parameters or {}).items():
            if _nameable(value) and not self._ledger.permits(value):
                case.path_parameters[name] = stand_in(value)
                self._replace(case)
        if case.operation.path.endswith("/compensate") and isinstance(case.body, dict):
            self._before_undo(case)

    def _give_key(self, case: Any) -> None:
        """A key of its own, or all cases would answer for the first body sent under `0`."""
        headers = case.headers or {}
        positive = case.meta is not None and case.meta.generation.mode.is_positive
        if positive and any(name.lower() == "idempotency-key" for name in headers):
            case.headers["Idempotency-Key"] = new_key()

    def _before_undo(self, case: Any) -> None:
        for name in ("id", "idempotency_key"):
            value = case.body.get(name)
            if _nameable(value) and not self._ledger.permits(value):
                case.body = {**case.body, name: stand_in(value)}
                self._replace(case)

    def _replace(self, case: Any) -> None:
        self._tally.replaced += 1
        self._replaced.add(case.id)

    def _after(self, case: Any, response: Any) -> None:
        if not 200 <= response.status_code < 300:
            return
        try:
            reply = response.json()
        except ValueError:
            return
        if case.method.upper() in READING:
            self._ledger.meet(reply)
        else:
            self._cleaner.note(case.operation.path, reply, case.id)

    def _is_failure(self, failure: Any, case: Any, response: Any) -> bool:
        if case.id in self._replaced and not _OF_THE_ID.isdisjoint(failure.checks):
            return False
        if type(failure).__name__ != "RejectedPositiveData" or self._plan.strict:
            return True
        documented = case.operation.definition.raw.get("responses", {})
        if str(response.status_code) not in {str(status) for status in documented}:
            return True
        # A schema cannot say that a date exists or that two fields exclude each other.
        self._tally.refused += 1
        return False

    def _take(self, event: Any) -> None:
        if isinstance(event, events.NonFatalError):
            self._tally.error(event.label, f"{type(event.value).__name__}: {event.value}")
        elif isinstance(event, events.FatalError):
            raise event.exception
        elif isinstance(event, events.ScenarioFinished):
            self._count(event.recorder, event.phase.value)
            self._cleaner.finish(event.recorder.cases)
        elif isinstance(event, events.PhaseStarted):
            self._stateful = event.phase.name.value == STATEFUL
        elif isinstance(event, events.EngineFinished) and event.stop_reason.value != "completed":
            self._ended = self._ended or event.stop_reason.value

    def _count(self, recorder: Any, phase: str) -> None:
        for ident, node in recorder.cases.items():
            interaction = recorder.interactions.get(ident)
            answered = interaction is not None and interaction.response is not None
            status = interaction.response.status_code if answered else None
            self._tally.case(node.value.operation.label, phase, status)
            for check in recorder.checks.get(ident, ()):
                if check.failure_info is None:
                    continue
                failure = check.failure_info.failure
                self._tally.fail(
                    Failure(
                        check=check.name,
                        operation=node.value.operation.label,
                        phase=phase,
                        title=failure.title,
                        message=failure.message,
                        status=status,
                        curl=check.failure_info.code_sample,
                    )
                )


def selected(label: str, plan: Plan) -> bool:
    """Pure: whether an operation, such as `GET /reports/{id}`, is in scope."""
    if plan.scope == "read" and label.partition(" ")[0] not in READING:
        return False
    included = not plan.include or any(fnmatchcase(label, wanted) for wanted in plan.include)
    return included and not any(fnmatchcase(label, unwanted) for unwanted in plan.exclude)


def _kind(case: Any) -> tuple[str, str]:
    """Whether a coverage case is a valid one, and what it tries, such as `value_above_maximum`."""
    return case.meta.generation.mode.value, case.meta.phase.data.scenario.value


def fetch(plan: Plan, session: requests.Session) -> dict[str, Any]:
    """The service's OpenAPI document. Raises ValueError with a sentence for people."""
    try:
        reply = session.get(f"{plan.url}/openapi.json", timeout=10, allow_redirects=False)
    except requests.RequestException as error:
        raise ValueError(f"{plan.service} cannot be reached: {type(error).__name__}") from None
    if reply.status_code != 200:
        raise ValueError(f"{plan.service} answers {reply.status_code} at /openapi.json")
    if len(reply.content) > plan.document_bytes:
        raise ValueError(f"its OpenAPI document exceeds {plan.document_bytes} bytes")
    try:
        document = reply.json()
    except ValueError:
        document = None
    if not isinstance(document, Mapping) or not isinstance(document.get("paths"), Mapping):
        raise ValueError(f"what {plan.service} gives at /openapi.json is no OpenAPI document")
    return dict(document)


def _nameable(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool) and value != ""


def _config(plan: Plan) -> SchemathesisConfig:
    phases = ("examples", "coverage", "fuzzing", "stateful")
    return SchemathesisConfig.from_dict(
        {
            "seed": plan.seed,
            "suppress-health-check": ["all"],
            "continue-on-failure": True,
            "base-url": plan.url,
            "workers": 1,
            "request-timeout": plan.request_timeout_s,
            "max-redirects": 1,
            "cache": {"enabled": False},
            "output": {"sanitization": {"enabled": False}},
            "generation": {"max-examples": plan.max_examples, "database": "none"},
            "phases": {phase: {"enabled": phase in plan.phases} for phase in phases},
        }
    )
