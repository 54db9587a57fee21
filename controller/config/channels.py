"""Where messages go, and whether what config.yaml says of alerts can be.

An address holds secrets, so no fault ever repeats one. Whether an address can be used is asked of
Apprise itself, which is loaded only where there is one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection

from controller.config.node import Report
from controller.config.settings_reader import SettingsFile

_EXAMPLES = "https://github.com/caronc/apprise/wiki lists the forms"


def quiet_apprise() -> None:
    """It logs whole addresses, secrets included, of those that it cannot read."""
    own = logging.getLogger("apprise")
    own.propagate = False
    if not any(isinstance(handler, logging.NullHandler) for handler in own.handlers):
        own.addHandler(logging.NullHandler())


def channel_addresses(
    found: SettingsFile, read: Callable[[str], str | None], base: str, report: Report
) -> dict[str, str]:
    """The address of each channel by its name; what is wrong with one is reported. `read` gives the
    text of a file, None where there is none; `base` is the folder that names are relative to."""
    addresses = {}
    for name, channel in found.settings.alerts.channels.items():
        mark = found.tree.where("alerts", "channels", name)
        address = channel.address.get_secret_value() if channel.address else ""
        if channel.file is not None:
            path = os.path.normpath(os.path.join(base, os.path.expanduser(channel.file)))
            text = read(path)
            if text is None:
                report.fault(mark, f"alerts.channels.{name}.file: {path} is not there")
                continue
            address = text.strip()
        why = _fault(address)
        if why is not None:
            report.fault(mark, f"alerts.channels.{name}: {why}")
        addresses[name] = address
    return addresses


def check_alerts(found: SettingsFile, services: Collection[str], report: Report) -> None:
    """Adds a fault for every channel and service that is named and not there."""
    _check_routes(found, services, report)
    _check_patterns(found, services, report)


def _check_routes(found: SettingsFile, services: Collection[str], report: Report) -> None:
    said = found.settings.alerts
    for at, route in enumerate(said.routes):
        mark = found.tree.where("alerts", "routes", at)
        for channel in route.channels:
            if channel not in said.channels:
                report.fault(
                    mark,
                    f"alerts.routes[{at}].channels: there is no channel {channel!r}",
                    word=channel,
                    known=said.channels,
                )
        for service in route.services:
            if service not in services:
                report.fault(
                    mark,
                    f"alerts.routes[{at}].services: {service!r} is not in the compose files",
                    word=service,
                    known=services,
                )


def _check_patterns(found: SettingsFile, services: Collection[str], report: Report) -> None:
    said = found.settings.alerts
    for at, pattern in enumerate(said.rules.log_pattern.patterns):
        where = f"alerts.rules.log_pattern.patterns[{at}]"
        mark = found.tree.where("alerts", "rules", "log_pattern", "patterns", at)
        if pattern.name in [other.name for other in said.rules.log_pattern.patterns[:at]]:
            report.fault(mark, f"{where}.name: {pattern.name!r} is there twice")
        if pattern.service is not None and pattern.service not in services:
            report.fault(
                mark,
                f"{where}.service: {pattern.service!r} is not in the compose files",
                word=pattern.service,
                known=services,
            )


def _fault(address: str) -> str | None:
    """Why nothing can be sent to an address, without repeating it; None where it can."""
    if not address.strip():
        return "the address is empty; set the variable, or write the file, that it is taken from"
    scheme, separator, _ = address.partition("://")
    if not separator or not scheme.isalnum():
        return f"an address such as mailto://…, slack://… or json://… is asked for; {_EXAMPLES}"
    from apprise import Apprise

    quiet_apprise()
    if Apprise.instantiate(address) is not None:
        return None
    known = {name for plugin in Apprise().details()["schemas"] for name in _schemas(plugin)}
    if scheme.lower() not in known:
        return f"Apprise knows no {scheme!r} addresses; {_EXAMPLES}"
    return f"the address lacks something that {scheme!r} needs; {_EXAMPLES}"


def _schemas(plugin: dict[str, object]) -> set[str]:
    names: set[str] = set()
    for key in ("protocols", "secure_protocols"):
        found = plugin.get(key) or ()
        names |= {str(name) for name in found} if isinstance(found, (list, tuple, set)) else set()
    return names
