"""What is refused of a workflow: each fault at its line, with the name that was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config.workflow_helpers import faults

STEP = "{service: web, action: a}"
NO_NAME = "a name is of A-Z a-z 0-9 _ and -, at most 64"


def steps(*entries: str) -> str:
    """A workflow `w` whose steps begin on line 4."""
    return "w:\n  steps:\n" + "".join(f"    - {entry}\n" for entry in entries)


REFUSED = [
    # Names
    (f"'w!': {{steps: [{STEP}]}}", f"2: workflows.w!: found 'w!'; {NO_NAME}"),
    (f"runs: {{steps: [{STEP}]}}",
     "2: workflows.runs: a workflow cannot be called runs, which the API needs for all runs"),
    (steps("{service: web, action: a, id: a b}"),
     f"4: workflows.w.steps[0].id: found 'a b'; {NO_NAME}"),
    (steps("{service: web, action: a, id: ''}"),
     f"4: workflows.w.steps[0].id: found ''; {NO_NAME}"),
    (steps("{service: web, action: a, id: x}", STEP, "{service: web, action: a, id: x}"),
     "6: workflows.w.steps[2].id: 'x' is the id of steps[0] too"),
    # Services
    (steps("{service: wbe, action: a}"), "4: workflows.w.steps[0].service: 'wbe' is not in the "
     'compose files (did you mean "web"?)'),
    (steps("{service: off, action: a}"),
     "4: workflows.w.steps[0].service: 'off' is in a profile that is not enabled"),
    # Calls
    (steps("{service: web}"), "4: workflows.w.steps[0]: neither an action nor a path is given"),
    (steps("{service: web, action: a, path: /a}"),
     "4: workflows.w.steps[0].path: both an action and a path are given; keep one of them"),
    (steps("{service: web, action: a, method: PUT}"),
     "4: workflows.w.steps[0].method: an action is "
     "always asked for by POST; a method is for a path"),
    (steps("{service: web, action: a/b}"), "4: workflows.w.steps[0].action: found 'a/b'; an action "
     "is of A-Z a-z 0-9 . _ ~ and -, at most 64"),
    (steps("{service: web, path: //b/c}"), "4: workflows.w.steps[0].path: found '//b/c'; a path "
     "begins with one / and has no spaces and no #"),
    (steps("{service: web, path: 'http://b/'}"), "4: workflows.w.steps[0].path: found 'http://b/'; "
     "a path begins with one / and has no spaces and no #"),
    (steps("{service: web, path: '/a b'}"), "4: workflows.w.steps[0].path: found '/a b'; a path "
     "begins with one / and has no spaces and no #"),
    (steps("{service: web, path: '${{ input.url }}'}"), "4: workflows.w.steps[0].path: found "
     "'${{ input.url }}'; a path begins with one / and has no spaces and no #"),
    (steps("{service: web, path: /a, method: get, input: 1}"),
     "4: workflows.w.steps[0].input: GET sends no body; use another method, or the path"),
    (steps("{service: web, path: /a, method: fetch}"), "4: workflows.w.steps[0].method: found "
     "'FETCH'; Input should be 'GET', 'HEAD', 'POST', 'PUT', 'PATCH' or 'DELETE'"),
    # Compensation
    (steps("{service: web, path: /a, compensate: auto}"),
     "4: workflows.w.steps[0].compensate: auto "
     "is for a step with an action; say the path that undoes this one, or none"),
    (steps("{service: web, action: a, compensate: never}"), "4: workflows.w.steps[0].compensate: "
     "found 'never'; auto, none, or a mapping with action or path is asked for"),
    (steps("{service: web, action: a, compensate: {}}"),
     "4: workflows.w.steps[0].compensate: neither an action nor a path is given"),
    (steps("{service: web, action: a, compensate: {acton: b}}"),
     '4: workflows.w.steps[0].compensate.acton: unknown key (did you mean "action"?)'),
    (steps("{service: web, action: a, compensate: {path: b}}"),
     "4: workflows.w.steps[0].compensate."
     "path: found 'b'; a path begins with one / and has no spaces and no #"),
    (steps("{service: web, action: a, compensate: {path: /b, method: get, input: 1}}"),
     "4: workflows.w.steps[0].compensate.input: GET sends no body; use another method, or "
     "the path"),
    # Needs
    (steps("{service: web, action: a, needs: [wbe]}", STEP), "4: workflows.w.steps[0].needs[0]: "
     "there is no step 'wbe' (did you mean \"web\"?)"),
    (steps("{service: web, action: a, needs: [web]}"), "4: workflows.w.steps[0].needs: a cycle, in "
     "which each step waits for the next: web → web"),
    (steps("{service: web, action: a, id: x, needs: [y]}", "{service: web, action: a, id: y, "
     "needs: [z]}", "{service: web, action: a, id: z, needs: [x]}",
     "{service: web, action: a, id: behind, needs: [z]}"),
     "4: workflows.w.steps[0].needs: a cycle, "
     "in which each step waits for the next: x → y → z → x"),
    # Expressions
    (steps("{service: web, action: a, input: '${{ inptu.x }}'}"), "4: workflows.w.steps[0].input: "
     "'inptu' is nothing that is known here (input, run, steps) (did you mean \"input\"?)"),
    (steps("{service: web, action: a, input: {deep: ['${{ input. }}']}}"),
     "4: workflows.w.steps[0].input.deep[0]: ${{ input. }}: "),
    (steps("{service: web, action: a, input: '${{ error }}'}"), "4: workflows.w.steps[0].input: "
     "'error' is nothing that is known here (input, run, steps)"),
    (steps("{service: web, action: a, input: '${{ input.x == true }}'}"),
     "4: workflows.w.steps[0].input: true stands in backticks in an expression: `true`"),
    (steps("{service: web, action: a, input: '${{ lenght(input) }}'}"), "4: workflows.w.steps[0]."
     'input: there is no function lenght() (did you mean "length"?)'),
    (steps("{service: web, action: a, input: '${{ input[].length() }}'}"),
     "4: workflows.w.steps[0]."
     "input: length() has 0 arguments, and takes 1"),
    (steps("{service: web, action: a, input: '${{ not_null() }}'}"), "4: workflows.w.steps[0]."
     "input: not_null() has 0 arguments, and takes 1 or more"),
    (steps("{service: web, action: a, input: '${{ steps.wbe }}'}", STEP),
     "4: workflows.w.steps[0].input: there is no step 'wbe' (did you mean \"web\"?)"),
    (steps("{service: web, action: a, input: '${{ steps.store }}'}", "{service: store, action: a}"),
     "4: workflows.w.steps[0].input: the step 'store' is not sure to be over by then; name it in "
     "`needs`"),
    (steps("{service: web, action: a, input: '${{ steps.web }}'}"),
     "4: workflows.w.steps[0].input: "
     "the step 'web' is not sure to be over by then; name it in `needs`"),
    (steps("{service: web, action: a, needs: []}", "{service: store, path: '/${{ steps.web }}'}"),
     "5: workflows.w.steps[1].path: the step 'web' is not sure to be over by then; name it in "
     "`needs`"),
    (steps("{service: web, action: a, compensate: {action: b, input: '${{ steps.store }}'}}",
     "{service: store, action: a}"),
     "4: workflows.w.steps[0].compensate.input: the step 'store' is "
     "not sure to be over by then; name it in `needs`"),
    (steps("{service: web, action: a, when: true}"), "4: workflows.w.steps[0].when: a condition is "
     "one whole expression, such as ${{ input.count > `0` }}"),
    (steps("{service: web, action: a, when: '${{ input.a }} ${{ input.b }}'}"), "4: workflows.w."
     "steps[0].when: a condition is one whole expression, such as ${{ input.count > `0` }}"),
    (steps("{service: web, action: a, when: '${{ inptu.a }}'}"), "4: workflows.w.steps[0].when: "
     "'inptu' is nothing that is known here (input, run, steps) (did you mean \"input\"?)"),
    (steps(STEP) + "  output:\n    a: ${{ steps.wbe.output }}\n",
     "6: workflows.w.output.a: there is no step 'wbe' (did you mean \"web\"?)"),
    (steps(STEP) + "  output: ${{ error }}\n",
     "5: workflows.w.output: 'error' is nothing that is known here (input, run, steps)"),
    (steps("{service: web, action: a, input: [.nan]}"),
     "4: workflows.w.steps[0].input[0]: found nan; JSON has no such number"),
    (steps("{service: web, action: a, input: '${{ input '}"), '4: a "${" without its closing "}"'),
    # Numbers
    (steps("{service: web, action: a, retry: {attempts: 101}}"),
     "4: workflows.w.steps[0].retry.attempts: found 101; Input should be less than or "
     "equal to 100"),
    (steps("{service: web, action: a, retry: {attempts: true}}"),
     "4: workflows.w.steps[0].retry.attempts: found True; a number is asked for, not true "
     "or false"),
    (steps("{service: web, action: a, retry: {attemps: 1}}"),
     '4: workflows.w.steps[0].retry.attemps: unknown key (did you mean "attempts"?)'),
    (steps("{service: web, action: a, retry: {backoff: 2s, max_backoff: 1s}}"),
     "4: workflows.w.steps[0].retry.max_backoff: 1s is less than the backoff of 2s"),
    (steps("{service: web, action: a, timeout: 0}"),
     "4: workflows.w.steps[0].timeout: found 0; a duration is above 0"),
    (steps(STEP) + "  concurrency: {limit: 0}\n",
     "5: workflows.w.concurrency.limit: found 0; Input should be greater than or equal to 1"),
    (steps(STEP) + "  concurrency: {limit: 1, on_limit: drop}\n", "5: workflows.w.concurrency."
     "on_limit: found 'drop'; Input should be 'queue', 'reject' or "),
    (steps(STEP) + "  concurrency: {on_limit: queue}\n",
     "5: workflows.w.concurrency.limit: the key is missing"),
    (steps(STEP) + "  description: {kor: x}\n",
     '5: workflows.w.description.kor: unknown key (did you mean "ko"?)'),
    # Schedules
    (steps(STEP) + "  schedule: '@daily'\n", "5: workflows.w.schedule: found '@daily'; a cron line "
     "has five fields: minute, hour, day of the month, month, day of the week"),
    (steps(STEP) + "  schedule: 0 0 3 * * *\n", "5: workflows.w.schedule: found '0 0 3 * * *'; a "
     "cron line has five fields: minute, hour, day of the month, month, day of the week"),
    (steps(STEP) + "  schedule: 60 3 * * *\n",
     "5: workflows.w.schedule: found '60 3 * * *'; not a cron line: Bad minute"),
    (steps(STEP) + "  schedule: 0 0 31 2 *\n",
     "5: workflows.w.schedule: found '0 0 31 2 *'; not a cron line: Bad day-of-month"),
    (steps(STEP) + "  schedule: 0 0 */40 * MON#5\n",
     "5: workflows.w.schedule: found '0 0 */40 * MON#5'; there is no such day"),
    (steps(STEP) + "  schedule: 0 3 * * *\n  input_schema: {required: [n]}\n",
     "5: workflows.w.schedule: a run by schedule has the input {}, which input_schema refuses: 'n' "
     "is a required property; make that optional, or begin such runs by hand"),
    # Schemas
    (steps(STEP) + "  input_schema: {type: objec}\n", "5: workflows.w.input_schema.type: no JSON "
     "Schema (draft 2020-12): 'objec' is not valid under any of the given schemas"),
    (steps(STEP) + "  input_schema:\n    properties:\n      a: {pattern: '('}\n", "7: workflows.w."
     "input_schema.properties.a.pattern: no JSON Schema (draft 2020-12): '(' is not a 'regex'"),
    (steps(STEP) + "  input_schema: {$ref: 'http://a/b'}\n",
     "5: workflows.w.input_schema.$ref: found "
     "'http://a/b'; only what is in this schema, #/…, can be referred to"),
    (steps(STEP) + "  input_schema: {allOf: [{$ref: '#/$$defs/a'}], $defs: {}}\n", "5: workflows.w."
     "input_schema.allOf[0].$ref: found '#/$defs/a'; the schema has nothing there"),
    (steps(STEP) + "  input_schema: {const: .inf}\n",
     "5: workflows.w.input_schema.const: found inf; JSON has no such number"),
    (steps(STEP) + "  input_schema: true\n", "5: workflows.w.input_schema: found True; "),
    # Too many
    (steps(*[STEP] * 1001), "3: workflows.w.steps: found 1001 steps, 1,000 are allowed"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=[said[:70] for _, said in REFUSED])
def test_each_fault_is_told_alone_and_in_its_place(tmp_path: Path, text: str, said: str) -> None:
    found = faults(tmp_path, text)
    assert len(found) == 1, found
    assert found[0].startswith(said)


def test_all_faults_of_all_workflows_come_at_once(tmp_path: Path) -> None:
    text = steps("{service: wbe, action: a, needs: [x], when: 1}", "{service: web, path: a}")
    found = faults(tmp_path, text + text.replace("w:", "v:", 1) + f"runs: {{steps: [{STEP}]}}")
    places = [fault.partition(": ")[2].partition(":")[0] for fault in found]
    one = [".steps[0].needs[0]", ".steps[0].service", ".steps[0].when", ".steps[1].path"]
    assert places == [f"workflows.{w}{place}" for w in "wv" for place in one] + ["workflows.runs"]


def test_every_cycle_is_named_once_and_what_lies_behind_it_not_at_all(tmp_path: Path) -> None:
    entries = {
        "a": "b", "b": "a", "c": "d", "d": "c, a", "e": "a", "f": "e", "g": "", "h": "h, g",
    }  # fmt: skip
    text = steps(
        *(f"{{service: web, action: a, id: {i}, needs: [{n}]}}" for i, n in entries.items())
    )
    found = [fault.rpartition(": ")[2] for fault in faults(tmp_path, text)]
    assert found == ["a → b → a", "c → d → c", "h → h"]


def test_a_nesting_without_end_is_refused(tmp_path: Path) -> None:
    deep = "(" * 20_000 + "input" + ")" * 20_000
    found = faults(tmp_path, steps(f"{{service: web, action: a, input: '${{{{ {deep} }}}}'}}"))
    assert found == ["4: workflows.w.steps[0].input: the expression is nested too deeply"]


def test_a_wrong_need_brings_no_second_fault(tmp_path: Path) -> None:
    text = steps(
        "{service: web, action: a, id: first}",
        "{service: web, action: a, needs: [frist], input: '${{ steps.first.output }}'}",
    )
    assert len(faults(tmp_path, text)) == 1
