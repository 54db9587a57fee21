"""Whether the reader of READMEs' examples would notice that one is wrong."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from tests.e2e.readme_examples import differs, examples, shown, unlike

README = """\
Text.

```sh
id=$(echo '{"id": "act_12"}' | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
echo "{\\"id\\": \\"$id\\", \\"size\\": 3, \\"pages\\": [1, 2, 3]}"
# {"id": "act_…", "size": 3,
#  "pages": [1, …]}
echo '{"second": true}'
```

```json
{"second": true}
```

Not an answer, since text stands between:

```json
{"records": […]}
```
"""


def run(markdown: str) -> tuple[int, list[str]]:
    found = examples(markdown)
    done = subprocess.run(
        ["/bin/bash", "-c", found.script], capture_output=True, text=True, check=False
    )
    return done.returncode, unlike(found, done.stdout)


def test_examples_that_hold() -> None:
    assert len(examples(README).shown) == 2
    assert run(README) == (0, [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"size": 3,\n', '"size": 4,\n'),
        ('"act_…"', '"doc_…"'),
        ("[1, …]", "[1, 2]"),
        ('{"second": true}\n```\n\nNot', '{"second": 1}\n```\n\nNot'),
        ('"second": true}\n```\n\nNot', '"second": true, "third": null}\n```\n\nNot'),
    ],
)
def test_an_answer_that_differs_is_told(old: str, new: str) -> None:
    assert old in README
    status, differing = run(README.replace(old, new))
    assert status == 0
    assert len(differing) == 1


@pytest.mark.parametrize("broken", ["false", "x=$(false)", "false | cat", "echo $nobody"])
def test_a_command_that_fails_fails_the_script(broken: str) -> None:
    status, _ = run(README.replace("id=$(", f"{broken}\nid=$(", 1))
    assert status != 0


def test_other_ports_can_be_asked() -> None:
    script = examples("```sh\ncurl localhost:8012/health\n```\n", {8012: 20_012}).script
    assert "curl localhost:20012/health" in script


@pytest.mark.parametrize(
    ("text", "real", "alike"),
    [
        ('{"a": {…}}', {"a": {"b": 1}}, True),
        ('{"a": {"b": 1, …}, …}', {"a": {"b": 1}}, True),
        ('{"pages": [{"n": 1, …}, … 9 pages]}', {"pages": [{"n": 1}, {"n": 2}]}, True),
        ('{"pages": [{"n": 1}, …]}', {"pages": []}, False),
        ('["a…b"]', ["a\nb"], True),
        ("[true]", [1], False),
        ("[null, -1.5]", [None, -1.5], True),
    ],
)
def test_what_is_left_out_may_be_anything(text: str, real: Any, alike: bool) -> None:
    assert (not list(differs(shown(text), real))) is alike


@pytest.mark.parametrize("text", ['{"a": 1', '{"a"}', "[1", "{} {}", ""])
def test_an_answer_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        shown(text)
