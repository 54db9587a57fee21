"""What the five home services are sent by a step that says no input.

Most services take a run's input as it is. These say strictly what they want, and for those of
their actions that work on what other steps gave, there is one thing that can be meant: so the
short form, a service and an action a step, is a whole workflow. Any other service, and any step
with an `input` of its own, is untouched by this.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Nearest = Callable[[str], "str | None"]


@dataclass(frozen=True, slots=True)
class Usual:
    """A step's input, and its condition where there may be nothing to send."""

    input: Any
    when: str | None = None


RUN_INPUT = Usual("${{ input }}")
_TIMINGS = Usual({"workflow_run": "${{ run.id }}", "steps": "${{ steps.*.timing }}"})


def usual(service: str, action: str, follows: bool, nearest: Nearest) -> Usual:
    """What is sent. `follows`: steps come before it; `nearest` gives the last of those that is of
    a service."""
    if (service, action) == ("ai-monitoring-service", "monitor"):
        return _TIMINGS if follows else RUN_INPUT
    source, made = _SOURCES.get((service, action), (None, None))
    step = nearest(source) if source else None
    if step is None or made is None:
        return RUN_INPUT
    return made(f'steps."{step}".output.result')


def _crawl(result: str) -> Usual:
    urls = f"{result}.urls"
    return Usual({"start_urls": _expression(f"{urls}[:20]")}, _expression(urls))


def _quality_check(result: str) -> Usual:
    return Usual({"service": "saju-service", "result": _expression(result)})


def _validate(result: str) -> Usual:
    records = _expression(f"{result}.records")
    return Usual(
        {
            "records": records,
            "group_by": ["source"],
            "values_at": "fields",
            "ruleset": "solar_terms",
        },
        records,
    )


def _expression(source: str) -> str:
    return f"${{{{ {source} }}}}"


# By service and action: the service whose result it works on, and what is made of that.
_SOURCES: dict[tuple[str, str], tuple[str, Callable[[str], Usual]]] = {
    ("crawling-service", "crawl"): ("paperwork-service", _crawl),
    ("test-service", "quality-check"): ("saju-service", _quality_check),
    ("test-service", "validate"): ("crawling-service", _validate),
}
