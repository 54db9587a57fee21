"""Which networks are not as they are declared, and which of them can be made anew; pure.

Compared is what is declared, so that a network that another tool made is not made anew for what it
says beside that; and one that the hub made of this very declaration never is, whatever the engine
makes of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from ipaddress import ip_interface, ip_network

from controller.model.observation import ALIVE, NetworkObs, Observation
from controller.model.spec import AddressPool, NetworkSpec, StackSpec
from controller.model.text import Text, text

_COMPOSE = "com.docker.compose."


def renewable(
    stack: StackSpec, seen: Observation, run: Collection[str], replaceable: Collection[str]
) -> dict[str, Text]:
    """The networks that what is to `run` needs made anew, by the engine's name, with the cause.

    Only those on which nothing of the stack runs but what is `replaceable`: all of it has to leave.
    """
    found = {}
    for spec in stack.networks:
        there = seen.networks.get(spec.name)
        cause = None if there is None or spec.external else changed(spec, there)
        users = {name for name in run if spec.name in stack.services[name].network_names}
        leaving = users | set(_running_on(stack, seen, spec.name))
        if cause is not None and users and leaving <= set(replaceable):
            found[spec.name] = cause
    return found


def changed(spec: NetworkSpec, there: NetworkObs) -> Text | None:
    """What is declared otherwise than it is, in the words of the compose file; None if nothing."""
    if there.config_hash and there.config_hash == spec.config_hash:
        return None
    for key, wanted, found in _differences(spec, there):
        return text(
            "cause.network_changed", network=spec.name, setting=key, wanted=wanted, found=found
        )
    return None


def _running_on(stack: StackSpec, seen: Observation, network: str) -> Iterator[str]:
    for name in stack.managed:
        container = seen.of(name)
        if container is None or container.state not in ALIVE:
            continue
        if network in stack.services[name].network_names | container.networks.keys():
            yield name


def _differences(spec: NetworkSpec, there: NetworkObs) -> Iterator[tuple[str, str, str]]:
    """The key, what is declared, what is."""
    if (spec.driver or "bridge") != there.driver:
        yield "driver", spec.driver or "bridge", there.driver
    if spec.internal != there.internal:
        yield "internal", _flag(spec.internal), _flag(there.internal)
    # Some tools make every network so, and some engines every one with addresses of IPv6.
    for key in ("attachable", "enable_ipv6"):
        if getattr(spec, key) and not getattr(there, key):
            yield key, _flag(True), _flag(False)
    yield from _items("driver_opts", spec.driver_opts, there.driver_opts.items())
    yield from _items("labels", spec.labels, there.labels.items())
    if spec.ipam_driver and spec.ipam_driver != there.ipam_driver:
        yield "ipam.driver", spec.ipam_driver, there.ipam_driver
    yield from _items("ipam.options", spec.ipam_options, there.ipam_options.items())
    for pool in spec.ipam_pools:
        yield from _pool(pool, there)


def _pool(pool: AddressPool, there: NetworkObs) -> Iterator[tuple[str, str, str]]:
    if pool.subnet is None:
        return
    subnets = {_net(one.subnet): one for one in there.ipam_pools if one.subnet}
    mine = subnets.get(_net(pool.subnet))
    if mine is None:
        yield "subnet", pool.subnet, ", ".join(subnets)
        return
    if pool.ip_range and (mine.ip_range is None or _net(pool.ip_range) != _net(mine.ip_range)):
        yield "ip_range", pool.ip_range, mine.ip_range or ""
    if pool.gateway and (mine.gateway is None or _host(pool.gateway) != _host(mine.gateway)):
        yield "gateway", pool.gateway, mine.gateway or ""
    yield from _items("aux_addresses", pool.aux_addresses, mine.aux_addresses)


def _items(
    key: str, wanted: Collection[tuple[str, object]], found: Collection[tuple[str, object]]
) -> Iterator[tuple[str, str, str]]:
    there = {name: str(value) for name, value in found}
    for name, value in wanted:
        if not name.startswith(_COMPOSE) and there.get(name) != str(value):
            yield f"{key}.{name}", str(value), there.get(name, "")


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _net(written: str) -> str:
    """One way to write it; what is no network stays as it is written."""
    try:
        return str(ip_network(written, strict=False))
    except ValueError:
        return written


def _host(written: str) -> str:
    try:
        return str(ip_interface(written).ip)
    except ValueError:
        return written
