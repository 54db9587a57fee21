"""Every sentence the core says exists in both languages, and no sentence is there for nobody."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from string import Formatter

import pytest
import yaml
from blockbuster import BlockingError

import controller
from controller import i18n
from controller.i18n import LANGUAGES, catalogue, pick_language, render, word
from controller.model.recovery import ByHand
from controller.model.text import Text, text
from controller.model.view import OperationKind

PACKAGE = Path(controller.__file__).parent
SAID = re.compile(r"""\b(?:text|word)\(\s*f?"([a-z_]+(?:\.[a-z_{}.]+)+)\"""", re.VERBOSE)
CORE = yaml.safe_load(resources.files(i18n).joinpath("core.yaml").read_text("utf-8"))
SOURCES = {f: f.read_text("utf-8") for f in PACKAGE.rglob("*.py")}
# A condition between two keys inside one call, as in text("a" if x else "b").
LITERAL = re.compile(
    r'"((?:health|probe|exit|phase|cause|result|fail|incident|rehearsal)\.[a-z_]+)"'
)
ASKED = [f"cause.{kind}{all_}" for kind in OperationKind for all_ in ("", "_all")]
BY_HAND = [f"incident.{how}_outside" for how in ByHand]


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def test_every_key_that_is_said_exists() -> None:
    missing = []
    for file, source in SOURCES.items():
        for key in SAID.findall(source):
            pattern = re.compile(re.sub(r"\\\{[^}]*\\\}", "[a-z_]+", re.escape(key)) + r"\Z")
            if not any(pattern.match(known) for known in catalogue()):
                missing.append(f"{file.name}: {key}")
    assert missing == []


def test_every_core_key_that_is_written_exists() -> None:
    written = {key for source in SOURCES.values() for key in LITERAL.findall(source)}
    assert written - set(CORE) == set()
    assert len(written) > 40


def test_every_core_key_is_said() -> None:
    written = {key for source in SOURCES.values() for key in LITERAL.findall(source)}
    assert set(CORE) - written - set(ASKED) - set(BY_HAND) == set()


def test_both_languages_have_the_same_facts_and_no_empty_sentence() -> None:
    for key, sentences in catalogue().items():
        assert set(sentences) == set(LANGUAGES), key
        assert all(s.strip() for s in sentences.values()), key
        assert placeholders(sentences["en"]) == placeholders(sentences["ko"]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_inside_sentences_are_in_the_same_language(language: str) -> None:
    inner = text("probe.refused", port=8000)
    said = render(text("health.waiting", last=inner), language)
    assert render(inner, language) in said


def test_braces_in_facts_are_facts() -> None:
    said = render(text("fail.command", detail="{x} {0} {}"))
    assert "{x} {0} {}" in said


def test_an_unknown_language_is_english() -> None:
    assert word("probe.refused", "fr", port=1) == word("probe.refused", "en", port=1)


def test_texts_survive_the_store() -> None:
    said = text("fail.crashed", why=text("exit.signal", code=137, signal=9), line="bye")
    assert Text.from_json(said.to_json()) == said


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("*", "en"),
        ("ko", "ko"),
        ("ko-KR,ko;q=0.9,en-US;q=0.8", "ko"),
        ("en-GB,ko;q=0.9", "en"),
        ("ko;q=0.4,en;q=0.6", "en"),
        ("fr,ko;q=0.1", "ko"),
        ("KO", "ko"),
        ("ko;q=0", "en"),
        ("ko;q=nonsense,en;q=0.1", "en"),
        (",;,;q=,", "en"),
        ("de,fr", "en"),
    ],
)
def test_the_language_people_ask_for(header: str | None, language: str) -> None:
    assert pick_language(header) == language


def test_a_key_that_stands_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "_FILES", ("core.yaml", "core.yaml"))
    with pytest.raises(ValueError, match="stands twice"):
        i18n.catalogue.__wrapped__()


def test_a_sentence_in_one_language_only_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "LANGUAGES", ("en", "ko", "de"))
    with pytest.raises(ValueError, match="must have exactly"):
        i18n.catalogue.__wrapped__()


async def test_reading_it_on_the_event_loop_fails_a_test() -> None:
    """The rule of tests/conftest.py, proved where the hub really has a file to read."""
    with pytest.raises(BlockingError):
        i18n.catalogue.__wrapped__()


def test_a_sentence_of_an_older_hub_is_shown_as_it_stands() -> None:
    assert render(Text("cause.long_gone", {"service": "db"}), "ko") == "cause.long_gone(service=db)"
