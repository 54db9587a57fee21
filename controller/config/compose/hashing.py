"""The hash by which a container is known to be what its service still says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# These say how to get or place a container, not what it is; changing them recreates nothing.
_NOT_HASHED = ("build", "pull_policy", "scale", "depends_on", "profiles")


def service_hash(service: Mapping[str, Any]) -> str:
    """64 hex digits over a canonical service definition, independent of the order of keys."""
    counted = {key: value for key, value in service.items() if key not in _NOT_HASHED}
    deploy = counted.get("deploy")
    if isinstance(deploy, Mapping):
        counted["deploy"] = {k: v for k, v in deploy.items() if k != "replicas" and v}
        if not counted["deploy"]:
            del counted["deploy"]
    return stable_hash(counted)


def stable_hash(value: Any) -> str:
    """64 hex digits over plain data."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
