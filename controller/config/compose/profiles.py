"""Which services take part, and which networks, volumes, secrets and configs they then need."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any


def is_enabled(service: Mapping[str, Any], profiles: Collection[str]) -> bool:
    """A service without profiles always takes part; `*` enables all."""
    wanted = service.get("profiles") or []
    return not wanted or "*" in profiles or any(name in profiles for name in wanted)


def without_unused(model: Mapping[str, Any]) -> dict[str, Any]:
    """The model without resources that none of its services refers to."""
    used: dict[str, set[str]] = {kind: set() for kind in ("networks", "volumes")}
    used |= {kind: set() for kind in ("secrets", "configs")}
    for service in model["services"].values():
        used["networks"] |= set(service.get("networks") or {})
        used["configs"] |= {mount.get("source") for mount in service.get("configs", [])}
        build_secrets = service.get("build", {}).get("secrets", [])
        used["secrets"] |= {
            mount.get("source") for mount in [*service.get("secrets", []), *build_secrets]
        }
        used["volumes"] |= {
            mount["source"]
            for mount in service.get("volumes", [])
            if mount["type"] == "volume" and mount.get("source")
        }
    kept = dict(model)
    for kind, names in used.items():
        kept[kind] = {key: value for key, value in model.get(kind, {}).items() if key in names}
    # The reference's print leaves the models out, and no engine runs any.
    kept.pop("models", None)
    return {key: value for key, value in kept.items() if value or key in ("name", "services")}
