"""Makes a network anew as it is declared now.

The engine changes none: it has to be removed, with nobody on it, and made again. Whoever is still
there is not the hub's to stop (a proxy of another project, say): he is taken off and put back.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.engine.client import DockerEngine, checked
from controller.engine.mapping import mapped_errors
from controller.errors import EngineError, EngineNotFoundError
from controller.model.spec import NetworkSpec

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Guest:
    """A container, and what it asked for on the network: names, and the addresses to be `at`."""

    container: str
    asked: Mapping[str, Any]
    at: Mapping[str, Any]


def renew(engine: DockerEngine, spec: NetworkSpec) -> None:
    """Remove the network and make it as it is declared; who is on it then is put back on it.

    Where it cannot be made (its addresses are taken, say) it is made as it was. Raises EngineError.
    """
    try:
        with mapped_errors(f"looking at the network {spec.name}"):
            before = engine.api.inspect_network(checked(spec.name))
    except EngineNotFoundError:
        engine.ensure_network(spec)
        return
    guests = _take_off(engine, before)
    engine.remove_network(before["Id"])
    try:
        engine.ensure_network(spec)
    except EngineError:
        _restore(engine, before)
        raise
    finally:
        for guest in guests:
            _put_back(engine, guest, spec.name)


def _take_off(engine: DockerEngine, found: Mapping[str, Any]) -> list[_Guest]:
    """Whoever is on the network, and no more when this is over."""
    with mapped_errors(f"looking who is on the network {found['Name']}"):
        guests = [_guest(engine, found["Id"], one) for one in found["Containers"] or ()]
    for guest in guests:
        with mapped_errors(f"taking {guest.container[:12]} off the network {found['Name']}"):
            engine.api.disconnect_container_from_network(guest.container, found["Id"], force=True)
    return guests


def _restore(engine: DockerEngine, before: Mapping[str, Any]) -> None:
    with mapped_errors(f"making the network {before['Name']} as it was"):
        engine.api.create_network(
            before["Name"],
            driver=before["Driver"],
            options=before["Options"],
            ipam=before["IPAM"],
            internal=before["Internal"],
            attachable=before["Attachable"],
            enable_ipv6=before["EnableIPv6"],
            labels=before["Labels"],
            check_duplicate=True,
        )


def _guest(engine: DockerEngine, network_id: str, container: str) -> _Guest:
    attached = engine.api.inspect_container(container)["NetworkSettings"]["Networks"]
    mine: Mapping[str, Any] = next(
        (end for end in attached.values() if end.get("NetworkID") == network_id), {}
    )
    addresses = mine.get("IPAMConfig") or {}
    asked = {
        # The engine adds the short id by itself.
        "aliases": [name for name in mine.get("Aliases") or () if name != container[:12]] or None,
        "links": mine.get("Links"),
    }
    at = {
        "ipv4_address": addresses.get("IPv4Address"),
        "ipv6_address": addresses.get("IPv6Address"),
    }
    return _Guest(container, asked, at)


def _put_back(engine: DockerEngine, guest: _Guest, name: str) -> None:
    """At the address that it asked for, else at any. One that cannot be is told of, no more: the
    stack is not to wait for it."""
    for at in (guest.at, {}):
        try:
            with mapped_errors(f"putting {guest.container[:12]} back on the network {name}"):
                engine.api.connect_container_to_network(guest.container, name, **guest.asked, **at)
            return
        except EngineError as error:
            log.warning("%s", error.detail)
