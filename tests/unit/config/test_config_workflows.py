"""What becomes of the workflows of config.yaml: forms, defaults, order, and the home stack's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from ai_monitoring.models import MonitorRequest
from controller.config.load import load
from controller.model.workflow import Call, Concurrency, Definition, OnLimit, Retry, Step
from controller.model.workflow_json import definition_from_json, definition_to_json
from crawling_service.models import CrawlRequest
from examiner.models import QualityCheckRequest, ValidateRequest
from paperwork_service.models import ProcessRequest
from saju_service.models import CalculateRequest
from tests.unit.config.workflow_helpers import COMPOSE, INPUTS, ROOT, hub, sent, workflow

AUTO = Call(
    "POST",
    "/actions/make/compensate",
    {
        "idempotency_key": "${{ run.id }}:web",
        "reason": "run ${{ run.id }} of ${{ run.workflow }} is being undone",
    },
)


def test_the_shortest_workflow(tmp_path: Path) -> None:
    found = workflow(tmp_path, "steps: [{service: web, action: make}]")
    call = Call("POST", "/actions/make", "${{ input }}", "make")
    step = Step("web", "web", call, (), None, Retry(), 30.0, AUTO, start=False)
    assert found == Definition("w", (step,), found.hash)
    assert (found.timeout_s, found.description, found.concurrency) == (3600.0, {}, None)
    assert len(found.hash) == 64


def test_every_key_of_the_full_form(tmp_path: Path) -> None:
    body = """\
    description: {ko: 시험, en: A test}
    timeout: 2m
    input_schema: {type: object, properties: {n: {$ref: "#/$$defs/n"}}, $defs: {n: {type: number}}}
    schedule: "*/5 3 * * MON"
    concurrency: {limit: 4, on_limit: cancel_oldest}
    output: ["${{ steps.one.output }}", "${{ steps.two.status }}"]
    steps:
      - id: one
        service: web
        action: make
        input: {n: "${{ input.n }}"}
        retry: {attempts: 7, backoff: 1s, max_backoff: 1m}
        timeout: 1500ms
        compensate: none
        start: true
      - id: two
        service: store
        method: put
        path: /things/${{ input.name }}?run=${{ run.id }}
        input: ["${{ steps.one.output }}", 1, null]
        needs: [one]
        when: ${{ steps.one.output.n > `3` }}
        compensate: {method: delete, path: "/things/${{ steps.two.output.id }}"}
    """
    found = workflow(tmp_path, body)
    one = Step(
        id="one",
        service="web",
        call=Call("POST", "/actions/make", {"n": "${{ input.n }}"}, "make"),
        retry=Retry(7, 1.0, 60.0),
        timeout_s=1.5,
        start=True,
    )
    path = "/things/${{ input.name }}?run=${{ run.id }}"
    two = Step(
        id="two",
        service="store",
        call=Call("PUT", path, ["${{ steps.one.output }}", 1, None]),
        needs=("one",),
        when="${{ steps.one.output.n > `3` }}",
        undo=Call("DELETE", "/things/${{ steps.two.output.id }}"),
    )
    assert found == Definition(
        name="w",
        steps=(one, two),
        hash=found.hash,
        description={"ko": "시험", "en": "A test"},
        timeout_s=120.0,
        output=["${{ steps.one.output }}", "${{ steps.two.status }}"],
        input_schema={
            "type": "object",
            "properties": {"n": {"$ref": "#/$defs/n"}},
            "$defs": {"n": {"type": "number"}},
        },
        schedule="*/5 3 * * MON",
        concurrency=Concurrency(4, OnLimit.CANCEL_OLDEST),
    )
    stored = json.loads(json.dumps(definition_to_json(found)))
    assert definition_from_json(stored) == found


@pytest.mark.parametrize(
    ("said", "call"),
    [
        ("path: /p", Call("GET", "/p")),
        ("path: /p, input: {a: 1}", Call("POST", "/p", {"a": 1})),
        ("path: /p, method: post", Call("POST", "/p", "${{ input }}")),
        ("path: /p, method: PATCH", Call("PATCH", "/p", "${{ input }}")),
        ("path: /p, method: post, input: null", Call("POST", "/p", None)),
        ("path: /p, method: delete", Call("DELETE", "/p")),
        ("path: /p, method: delete, input: 1", Call("DELETE", "/p", 1)),
        ("path: /p, method: head", Call("HEAD", "/p")),
        ("action: a, input: null", Call("POST", "/actions/a", None, "a")),
        ("action: a, input: 0", Call("POST", "/actions/a", 0, "a")),
        ("action: a", Call("POST", "/actions/a", "${{ input }}", "a")),
    ],
)
def test_method_and_input_when_they_are_left_out(tmp_path: Path, said: str, call: Call) -> None:
    assert workflow(tmp_path, f"steps: [{{service: web, {said}}}]").steps[0].call == call


@pytest.mark.parametrize(
    ("said", "undo"),
    [
        ("action: make", AUTO),
        ("action: make, compensate: auto", AUTO),
        ("action: make, compensate: null", AUTO),
        ("action: make, compensate: none", None),
        ("path: /p", None),
        ("path: /p, compensate: none", None),
        ("path: /p, compensate: {path: /q}", Call("POST", "/q")),
        ("path: /p, compensate: {path: /q, method: delete}", Call("DELETE", "/q")),
        ("path: /p, compensate: {action: u}", Call("POST", "/actions/u", AUTO.input, "u")),
        ("action: make, compensate: {action: u, input: 1}", Call("POST", "/actions/u", 1, "u")),
    ],
)
def test_how_a_step_is_undone(tmp_path: Path, said: str, undo: Call | None) -> None:
    assert workflow(tmp_path, f"steps: [{{service: web, {said}}}]").steps[0].undo == undo


@pytest.mark.parametrize(
    ("said", "retry"),
    [
        ("{attempts: 1}", Retry(1)),
        ("{backoff: 20s}", Retry(3, 20.0, 20.0)),
        ("{max_backoff: 500ms}", Retry(3, 0.5, 0.5)),
    ],
)
def test_what_is_left_out_of_retry(tmp_path: Path, said: str, retry: Retry) -> None:
    body = f"steps: [{{service: web, action: a, retry: {said}}}]"
    assert workflow(tmp_path, body).steps[0].retry == retry


def test_ids_are_the_services_names_numbered(tmp_path: Path) -> None:
    body = """\
    steps:
      - {service: web, action: a}
      - {service: a.b, action: a}
      - {service: web, action: b}
      - {service: web, action: c, id: web-3}
      - {service: web, action: d}
      - {service: store, action: d, id: a_b-2}
      - {service: a.b, action: a}
    """
    ids = [step.id for step in workflow(tmp_path, body).steps]
    assert ids == ["web", "a_b", "web-2", "web-3", "web-4", "a_b-2", "a_b-3"]


def test_without_needs_each_step_follows_the_one_above(tmp_path: Path) -> None:
    body = """\
    steps:
      - {service: web, action: a}
      - {service: web, action: b, input: '${{ steps.web.output }}'}
      - {service: web, action: c, input: '${{ steps.web.output || steps."web-2".output }}'}
    """
    needs = [step.needs for step in workflow(tmp_path, body).steps]
    assert needs == [(), ("web",), ("web-2",)]


@pytest.mark.parametrize(
    ("first", "last", "needs"),
    [
        ("", "[one]", [(), (), ("one",)]),
        ("", "[]", [(), (), ()]),
        ("[three, three]", "[two]", [("three",), (), ("two",)]),
    ],
)
def test_with_needs_anywhere_a_step_waits_only_for_what_it_names(
    tmp_path: Path, first: str, last: str, needs: list[tuple[str, ...]]
) -> None:
    body = f"""\
    steps:
      - {{service: web, action: a, id: one, needs: {first}}}
      - {{service: web, action: b, id: two}}
      - {{service: web, action: c, id: three, needs: {last}}}
    """
    assert [step.needs for step in workflow(tmp_path, body).steps] == needs


@pytest.mark.parametrize(
    ("said", "texts"),
    [
        ("한 줄", {"ko": "한 줄", "en": "한 줄"}),
        ("{en: A line}", {"ko": "A line", "en": "A line"}),
        ("{ko: 가, en: a}", {"ko": "가", "en": "a"}),
        ("{}", {}),
    ],
)
def test_a_description_is_in_both_languages(
    tmp_path: Path, said: str, texts: dict[str, str]
) -> None:
    body = f"description: {said}\nsteps: [{{service: web, action: a}}]"
    assert workflow(tmp_path, body).description == texts


def test_an_unmanaged_service_is_a_warning(tmp_path: Path) -> None:
    found = hub(tmp_path, "w:\n  steps: [{service: job, action: a}]")
    assert found.stack.warnings == (
        f"{tmp_path}/config.yaml:3: workflows.w.steps[0].service: job is not managed, so that the "
        "hub neither watches nor heals it for a run",
    )


def test_an_undo_sees_its_own_step_and_the_error(tmp_path: Path) -> None:
    body = """\
    steps:
      - service: web
        action: a
        compensate: {action: b, input: ["${{ steps.web.output }}", "${{ error.reason.key }}"]}
    """
    undo = workflow(tmp_path, body).steps[0].undo
    assert undo is not None
    assert undo.input == ["${{ steps.web.output }}", "${{ error.reason.key }}"]


@pytest.mark.parametrize("needs", ["", ", needs: [s0]", ", needs: [s{below}]"])
def test_a_thousand_steps_are_read(tmp_path: Path, needs: str) -> None:
    steps = [
        f"    - {{service: web, action: a, id: s{at}{needs.format(below=at - 1) if at else ''}}}"
        for at in range(1000)
    ]
    found = hub(tmp_path, "w:\n  steps:\n" + "\n".join(steps)).workflows["w"]
    assert len(found.steps) == 1000
    assert found.steps[-1].needs == (("s0",) if "s0" in needs else ("s998",))


def test_the_order_is_that_of_the_file_and_the_hash_of_what_is_meant(tmp_path: Path) -> None:
    text = "b:\n  steps: [{service: web, action: a}]\na:\n  steps: [{service: web, action: a}]\n"
    found = hub(tmp_path, text).workflows
    assert list(found) == ["b", "a"]
    assert found["a"].hash != found["b"].hash
    longer = text.replace("action: a", "action: a, id: web, timeout: 30s, needs: []")
    assert hub(tmp_path, longer).workflows == found


# The home stack

PILLARS = {"pillars": {"year": {"hanja": "壬申"}}}
RECORD = {"source": "http://demo-site:8080/a", "table": "t", "row": 1, "fields": {"절기": "소한"}}
PAGES = {"pages": [], "records": [RECORD], "skipped": [], "truncated": False}
DOCUMENT = {"document_id": "doc_" + "0" * 32}
URLS = {"urls": [f"http://demo-site:8080/{at}" for at in range(30)]}


def shortened(folder: Path, workflows: str) -> dict[str, Definition]:
    """Workflows on the services of the home stack."""
    names = ("saju", "ai-monitoring", "test", "paperwork", "crawling")
    labelled = '{image: i, labels: {heal7.managed: "true"}}'
    compose = "services:\n" + "".join(f"  {name}-service: {labelled}\n" for name in names)
    found = hub(folder, workflows, compose)
    assert found.stack.warnings == ()
    return dict(found.workflows)


SHORT = """\
saju_processing:
  steps:
    - {service: saju-service, action: calculate}
    - {service: ai-monitoring-service, action: monitor}
    - {service: test-service, action: quality-check}
document_automation:
  steps:
    - {service: paperwork-service, action: process}
    - {service: crawling-service, action: crawl}
    - {service: ai-monitoring-service, action: monitor}
data_collection:
  steps:
    - {service: crawling-service, action: crawl}
    - {service: ai-monitoring-service, action: monitor}
    - {service: test-service, action: validate}
"""

# workflow, step in config.yaml, step in the short form, input, results so far by service, model
SENT: list[tuple[str, str, str, Any, dict[str, Any], type[BaseModel]]] = [
    ("saju_processing", "calculate", "saju-service", INPUTS["saju_processing"], {},
     CalculateRequest),
    ("saju_processing", "monitor", "ai-monitoring-service", {}, {"saju-service": PILLARS},
     MonitorRequest),
    ("saju_processing", "quality-check", "test-service", {}, {"saju-service": PILLARS},
     QualityCheckRequest),
    ("document_automation", "process", "paperwork-service", DOCUMENT, {}, ProcessRequest),
    ("document_automation", "crawl", "crawling-service", {}, {"paperwork-service": URLS},
     CrawlRequest),
    ("document_automation", "monitor", "ai-monitoring-service", {}, {"paperwork-service": URLS},
     MonitorRequest),
    ("data_collection", "monitor", "ai-monitoring-service", {}, {"crawling-service": PAGES},
     MonitorRequest),
    ("data_collection", "validate", "test-service", {}, {"crawling-service": PAGES},
     ValidateRequest),
]  # fmt: skip


@pytest.mark.parametrize(("name", "full", "short", "given", "results", "model"), SENT)
def test_the_home_services_take_what_they_are_sent(
    tmp_path: Path,
    name: str,
    full: str,
    short: str,
    given: Any,
    results: dict[str, Any],
    model: type[BaseModel],
) -> None:
    """In both forms, by the services' own strict models."""
    home = load(ROOT / "config.yaml", {}).workflows[name]
    outputs = {step.id: results[step.service] for step in home.steps if step.service in results}
    model.model_validate_json(sent(home, full, given, outputs))
    readme = shortened(tmp_path, SHORT)[name]
    model.model_validate_json(sent(readme, short, given, results))


@pytest.mark.parametrize("given", [INPUTS["data_collection"], None, {}])
def test_a_collection_begins_at_the_demo_site_unless_it_is_told(given: Any) -> None:
    found = load(ROOT / "config.yaml", {}).workflows["data_collection"]
    assert found.input_schema is not None
    Draft202012Validator(found.input_schema).validate(given)
    request = CrawlRequest.model_validate_json(sent(found, "crawl", given, {}))
    assert request.start_urls == ["http://demo-site:8080/"]
    assert (request.max_pages, request.same_host) == (12 if given else 20, True)
    other = {"start_url": "http://a/", "same_host": False}
    assert not CrawlRequest.model_validate_json(sent(found, "crawl", other, {})).same_host


def test_the_input_schemas_of_the_home_stack() -> None:
    found = load(ROOT / "config.yaml", {}).workflows
    cases = [
        ("saju_processing", INPUTS["saju_processing"], True),
        ("saju_processing", {"calendar": "lunar", "date": "2033-11-01", "time": "10:00"}, True),
        ("saju_processing", {"datetime": "1990-05-15 14:30"}, False),
        ("saju_processing", {"date": "2033-11-01"}, False),
        ("saju_processing", {"datetime": "1990-05-15T14:30", "gendr": "male"}, False),
        ("document_automation", {**INPUTS["document_automation"], **DOCUMENT}, True),
        ("document_automation", {"document_id": "invoice.pdf"}, False),
        ("data_collection", {"start_url": "ftp://x"}, False),
    ]
    for name, given, fits in cases:
        schema = found[name].input_schema
        assert schema is not None
        assert Draft202012Validator(schema).is_valid(given) is fits, given


def test_the_shape_of_the_home_workflows() -> None:
    found = load(ROOT / "config.yaml", {}).workflows
    shape = {
        name: {step.id: step.needs for step in definition.steps}
        for name, definition in found.items()
    }
    assert shape == {
        "saju_processing": {
            "calculate": (), "monitor": ("calculate",), "quality-check": ("calculate",)
        },
        "document_automation": {
            "process": (), "crawl": ("process",), "monitor": ("process", "crawl")
        },
        "data_collection": {"crawl": (), "monitor": ("crawl",), "validate": ("crawl",)},
    }  # fmt: skip
    assert all(set(definition.description) == {"ko", "en"} for definition in found.values())
    assert all(step.undo for definition in found.values() for step in definition.steps)


def test_the_short_form_skips_what_has_nothing_to_work_on(tmp_path: Path) -> None:
    found = shortened(tmp_path, SHORT)
    assert [step.when for step in found["document_automation"].steps] == [
        None, '${{ steps."paperwork-service".output.result.urls }}', None
    ]  # fmt: skip
    assert [step.when for step in found["data_collection"].steps] == [
        None, None, '${{ steps."crawling-service".output.result.records }}'
    ]  # fmt: skip


def test_what_is_usual_is_so_only_where_it_can_be_meant(tmp_path: Path) -> None:
    text = """\
    w:
      steps:
        - {service: ai-monitoring-service, action: monitor}
        - {service: test-service, action: quality-check}
        - {service: test-service, action: validate, input: 1}
        - {service: saju-service, action: calculate, id: first}
        - {service: saju-service, action: calculate, id: second}
        - {service: test-service, action: quality-check, id: of-second}
        - {service: saju-service, action: monitor}
        - {service: crawling-service, action: crawl, when: "${{ input.x }}"}
    """
    steps = shortened(tmp_path, text)["w"].steps
    told = "${{ input }}"
    assert [step.call.input for step in steps[:5]] == [told, told, 1, told, told]
    assert steps[5].call.input["result"] == '${{ steps."second".output.result }}'
    assert [step.call.input for step in steps[6:]] == [told, told]
    assert steps[7].when == "${{ input.x }}"


def test_services_of_other_names_get_the_runs_input(tmp_path: Path) -> None:
    compose = COMPOSE.replace("store", "monitoring")
    text = "w:\n  steps: [{service: web, action: a}, {service: monitoring, action: monitor}]"
    assert hub(tmp_path, text, compose).workflows["w"].steps[1].call.input == "${{ input }}"
