"""One catalogue for Korean and English, so that no sentence exists in only one of them.

`core.yaml` holds what the hub concludes (reasons, causes), `runs.yaml` the same of workflows,
`alerts.yaml` all about alerts, `logs.yaml` all about logs, `metrics.yaml` all about what is
measured, `panel.yaml` the words of the stack's drawing, of one service, of the hub's own page and
of the palette, `ui.yaml` the words of the other pages.
All map a key to `{en: …, ko: …}`; loading refuses a duplicate key or a missing language.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import yaml

from controller.model.text import Param, Text

LANGUAGES = ("en", "ko")
DEFAULT = "en"
_FILES = (
    "alerts.yaml",
    "core.yaml",
    "logs.yaml",
    "metrics.yaml",
    "panel.yaml",
    "runs.yaml",
    "ui.yaml",
)


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Every key with its sentence per language. Raises ValueError on a broken catalogue."""
    merged: dict[str, dict[str, str]] = {}
    for name in _FILES:
        raw = yaml.load(
            resources.files(__name__).joinpath(name).read_text("utf-8"), Loader=yaml.CSafeLoader
        )
        for key, sentences in (raw or {}).items():
            if key in merged:
                raise ValueError(f"{name}: the key {key!r} stands twice in the catalogue")
            if set(sentences) != set(LANGUAGES):
                raise ValueError(f"{name}: the key {key!r} must have exactly {LANGUAGES}")
            merged[key] = sentences
    return merged


def render(message: Text, language: str = DEFAULT) -> str:
    """The sentence in `language`; an unknown language falls back to English.

    A key that is gone (stored by an older hub) is shown as it stands rather than failing a page.
    """
    sentences = catalogue().get(message.key)
    if sentences is None:
        return str(message)
    facts = {
        name: render(value, language) if isinstance(value, Text) else value
        for name, value in message.params.items()
    }
    return sentences.get(language, sentences[DEFAULT]).format(**facts)


def word(key: str, language: str = DEFAULT, **params: Param) -> str:
    """A catalogue entry by key, for pages."""
    return render(Text(key, params), language)


def sentence_of(key: str, language: str = DEFAULT) -> str:
    """The sentence of a key that was stored without its facts; the bare key where it needs some."""
    try:
        return word(key, language)
    except KeyError:
        return key


def pick_language(accept_language: str | None) -> str:
    """`ko` or `en` by an Accept-Language header (its q-values honoured), English when unsure."""
    best, best_q = DEFAULT, 0.0
    for part in (accept_language or "").split(","):
        tag, _, parameter = part.strip().partition(";")
        language = tag.strip().lower().split("-")[0]
        try:
            quality = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if language in LANGUAGES and quality > best_q:
            best, best_q = language, quality
    return best
