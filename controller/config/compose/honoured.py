"""What the specification allows and the hub cannot do yet, said by name instead of in silence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from controller.config.compose.build import warn_unbuildable
from controller.config.compose.defaults import replica_count
from controller.config.compose.port_text import parse_range
from controller.config.node import Node, Report

# `attach` only concerns whose output `up` shows on a terminal; the hub has none.
_SERVICE = frozenset(
    {
        "attach",
        "blkio_config",
        "build",
        "cap_add",
        "cap_drop",
        "cgroup",
        "cgroup_parent",
        "command",
        "configs",
        "container_name",
        "cpu_period",
        "cpu_quota",
        "cpu_rt_period",
        "cpu_rt_runtime",
        "cpu_shares",
        "cpus",
        "cpuset",
        "depends_on",
        "deploy",
        "device_cgroup_rules",
        "devices",
        "dns",
        "dns_opt",
        "dns_search",
        "domainname",
        "entrypoint",
        "env_file",
        "environment",
        "expose",
        "external_links",
        "extra_hosts",
        "gpus",
        "group_add",
        "healthcheck",
        "hostname",
        "image",
        "init",
        "ipc",
        "label_file",
        "labels",
        "links",
        "logging",
        "mac_address",
        "mem_limit",
        "mem_reservation",
        "mem_swappiness",
        "memswap_limit",
        "network_mode",
        "networks",
        "oom_kill_disable",
        "oom_score_adj",
        "pid",
        "pids_limit",
        "platform",
        "ports",
        "post_start",
        "pre_stop",
        "privileged",
        "profiles",
        "pull_policy",
        "pull_refresh_after",
        "read_only",
        "restart",
        "runtime",
        "scale",
        "secrets",
        "security_opt",
        "shm_size",
        "stdin_open",
        "stop_grace_period",
        "stop_signal",
        "storage_opt",
        "sysctls",
        "tmpfs",
        "tty",
        "ulimits",
        "user",
        "userns_mode",
        "uts",
        "volumes",
        "volumes_from",
        "working_dir",
    }
)
_HEALTHCHECK = frozenset(
    {"test", "interval", "timeout", "retries", "start_period", "disable"} | {"start_interval"}
)
_ENDPOINT = frozenset(
    {"aliases", "ipv4_address", "ipv6_address", "priority"}
    | {"driver_opts", "link_local_ips", "mac_address"}
)
_ADDRESSES = frozenset({"ipv4_address", "ipv6_address", "mac_address"})
_MOUNT_TYPES = frozenset({"bind", "volume", "tmpfs"})
_NETWORK = frozenset(
    {"name", "driver", "driver_opts", "ipam", "external", "internal", "attachable", "labels"}
    | {"enable_ipv6"}
)
_DEPLOY = frozenset({"resources", "restart_policy", "replicas", "mode"})


def warn_unhonoured(model: Mapping[str, Any], tree: Node, report: Report) -> None:
    """Writes a warning for each key of the model that the hub reads and cannot honour."""
    for name, service in model["services"].items():
        told = _Teller(("services", name), tree, report)
        told.unknown(service, _SERVICE)
        told.unknown(service.get("healthcheck", {}), _HEALTHCHECK, "healthcheck")
        for key, endpoint in (service.get("networks") or {}).items():
            told.unknown(endpoint or {}, _ENDPOINT, "networks", key)
        _deploy(service.get("deploy") or {}, told)
        _replicas(service, told)
        _mounts(service.get("volumes", []), told)
        warn_unbuildable(service.get("build", {}), told.say)
    for key, network in model.get("networks", {}).items():
        told = _Teller(("networks", key), tree, report)
        told.unknown(network, _NETWORK)


class _Teller:
    def __init__(self, base: tuple[str, ...], tree: Node, report: Report) -> None:
        self._base = base
        self._tree = tree
        self._report = report

    def say(self, text: str, *path: str) -> None:
        place = (*self._base, *path)
        self._report.warn(self._tree.where(*place), f"{'.'.join(place)}: {text}")

    def unknown(self, found: Iterable[str], honoured: frozenset[str], *path: str) -> None:
        for key in found:
            if key not in honoured:
                self.say("not honoured yet by the hub", *path, key)


def _deploy(deploy: Mapping[str, Any], told: _Teller) -> None:
    told.unknown([key for key, value in deploy.items() if value], _DEPLOY, "deploy")
    resources = deploy.get("resources", {})
    reservations = resources.get("reservations", {})
    told.unknown(
        reservations, frozenset({"memory", "devices"}), "deploy", "resources", "reservations"
    )
    policy = deploy.get("restart_policy", {})
    told.unknown(policy, frozenset({"condition", "max_attempts"}), "deploy", "restart_policy")
    if deploy.get("mode", "replicated") != "replicated":
        told.say("not honoured yet by the hub", "deploy", "mode")


def _replicas(service: Mapping[str, Any], told: _Teller) -> None:
    """What only one of several containers can have."""
    count = replica_count(service)
    if count < 2:
        return
    for port in service.get("ports", []):
        first, last = parse_range(port.get("published") or "0")
        if first and last - first + 1 < count:
            told.say(
                f"{count} containers cannot share the host's port {port['published']}; publish a"
                f" range of {count}, or no port",
                "ports",
            )
    for key, endpoint in (service.get("networks") or {}).items():
        for kind in _ADDRESSES & (endpoint or {}).keys():
            told.say(f"{count} containers cannot share one {kind}", "networks", key, kind)


def _mounts(mounts: list[dict[str, Any]], told: _Teller) -> None:
    for mount in mounts:
        where = ("volumes", mount.get("source") or mount["target"])
        if mount["type"] not in _MOUNT_TYPES:
            told.say(f"the type {mount['type']} is not honoured yet by the hub", *where)
        bind = mount.get("bind", {})
        lost = ["bind.recursive"] if bind.get("recursive") else []
        for key in lost:
            told.say(f"{key} is not honoured yet by the hub", *where)
