"""Which services may be asked, and where they are: by the settings only, never by a request.

A URL from a request would make this service a way to reach whatever its network reaches.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

HOME = {
    "paperwork-service": 8010,
    "test-service": 8011,
    "saju-service": 8012,
    "crawling-service": 8013,
    "ai-monitoring-service": 8014,
}
SETTING = "HEAL7_TEST_TARGETS"


def targets_from_env(env: Mapping[str, str]) -> dict[str, str]:
    """Name to address. HEAL7_TEST_TARGETS is `name=http://host:port` with commas between.

    Unset, the five of the home stack, each at its own name and port. Raises ValueError.
    """
    text = env.get(SETTING, "").strip()
    if not text:
        return {name: f"http://{name}:{port}" for name, port in HOME.items()}
    return dict(_target(part.strip()) for part in text.split(",") if part.strip())


def _target(text: str) -> tuple[str, str]:
    name, equals, url = text.partition("=")
    parts = urlsplit(url)
    if not (equals and name and parts.hostname and parts.scheme in ("http", "https")):
        raise ValueError(f"{SETTING} holds {text!r}; write name=http://host:port")
    return name.strip(), url.rstrip("/")
