"""Shapes that several keys of a service share, and of the keys that are tables themselves."""

from __future__ import annotations

from controller.config.compose import shapes as s
from controller.config.compose.units import parse_bytes, parse_duration
from controller.config.node import Node, Report

duration = s.by_kind(text=s.parsed(parse_duration))


def _bytes_check(node: Node, path: str, report: Report) -> None:
    value = node.value
    try:
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            parse_bytes(value)
    except ValueError as error:
        report.fault(node.mark, f"{path}: found {s.described(node)}; {error}")


size = s.by_kind(number=_bytes_check, text=_bytes_check)
size_from_zero = s.by_kind(number=s.number_from_zero, text=_bytes_check)
size_text = s.by_kind(text=_bytes_check)
command = s.by_kind(nothing=s.anything, text=s.anything, list=s.list_items(s.text))
list_or_map = s.by_kind(mapping=s.entries(s.scalar), list=s.list_items(s.text))
options = s.map_of(s.text_or_number)
hosts = s.by_kind(
    mapping=s.entries(s.by_kind(text=s.anything, list=s.list_items(s.text))),
    list=s.list_items(s.text, unique=True),
)
limit = s.integer(-1)

ulimits = s.map_of(
    s.by_kind(
        number=s.integer(-1),
        text=s.integer(-1),
        mapping=s.fields({"hard": limit, "soft": limit}, required=("soft", "hard")),
    )
)
file_mount = s.list_of(
    s.by_kind(
        text=s.anything,
        mapping=s.fields(
            {
                "source": s.text,
                "target": s.text,
                "uid": s.text,
                "gid": s.text,
                "mode": s.text_or_number,
            }
        ),
    )
)
BUILD = {
    "context": s.text,
    "dockerfile": s.text,
    "dockerfile_inline": s.text,
    "entitlements": s.texts,
    "args": list_or_map,
    "ssh": list_or_map,
    "labels": list_or_map,
    "cache_from": s.texts,
    "cache_to": s.texts,
    "no_cache": s.boolean,
    "no_cache_filter": s.text_or_texts,
    "additional_contexts": list_or_map,
    "network": s.text,
    "provenance": s.by_kind(text=s.anything, boolean=s.anything),
    "sbom": s.by_kind(text=s.anything, boolean=s.anything),
    "pull": s.boolean,
    "target": s.text,
    "shm_size": size,
    "extra_hosts": hosts,
    "isolation": s.text,
    "privileged": s.boolean,
    "secrets": file_mount,
    "tags": s.texts,
    "ulimits": ulimits,
    "platforms": s.texts,
}
blkio_limit = s.list_of(s.record({"path": s.text, "rate": size}))
blkio_weight = s.list_of(s.record({"path": s.text, "weight": s.integer(0, 1000)}))
BLKIO = {
    "device_read_bps": blkio_limit,
    "device_read_iops": blkio_limit,
    "device_write_bps": blkio_limit,
    "device_write_iops": blkio_limit,
    "weight": s.integer(0, 1000),
    "weight_device": blkio_weight,
}
condition = s.one_of("service_started", "service_healthy", "service_completed_successfully")
depends_on = s.by_kind(
    list=s.list_items(s.text, unique=True),
    mapping=s.entries(
        s.record(
            {"condition": condition, "restart": s.boolean, "required": s.boolean},
            required=("condition",),
        ),
        key=s.RESOURCE_NAME,
    ),
)
env_file = s.by_kind(
    text=s.anything,
    list=s.list_items(
        s.by_kind(
            text=s.anything,
            mapping=s.fields(
                {"path": s.text, "format": s.one_of("raw"), "required": s.boolean},
                required=("path",),
                extensions=False,
            ),
        )
    ),
)
extends = s.by_kind(
    text=s.anything,
    mapping=s.fields({"service": s.text, "file": s.text}, required=("service",)),
)
include = s.by_kind(
    nothing=s.anything,
    list=s.list_items(
        s.by_kind(
            text=s.anything,
            mapping=s.fields(
                {"path": s.text_or_texts, "env_file": s.text_or_texts, "project_directory": s.text},
                required=("path",),
            ),
        )
    ),
)
DEVICE_REQUEST = {
    "capabilities": s.texts,
    "count": s.by_kind(number=s.integer(), text=s.anything),
    "device_ids": s.texts,
    "driver": s.text,
    "options": list_or_map,
}
gpus = s.by_kind(
    text=s.matching("all", "all, or a list of device requests"),
    list=s.list_items(s.record(DEVICE_REQUEST)),
)
HEALTHCHECK = {
    "disable": s.boolean,
    "interval": duration,
    "retries": s.integer(0),
    "test": s.by_kind(text=s.anything, list=s.list_items(s.text)),
    "timeout": duration,
    "start_period": duration,
    "start_interval": duration,
}
ENDPOINT = {
    "aliases": s.texts,
    "interface_name": s.text,
    "ipv4_address": s.text,
    "ipv6_address": s.text,
    "link_local_ips": s.texts,
    "mac_address": s.text,
    "driver_opts": options,
    "priority": s.integer(),
    "gw_priority": s.integer(),
}
PORT = {
    "name": s.text,
    "mode": s.one_of("ingress", "host"),
    "host_ip": s.text,
    "target": s.integer(1, 65535),
    "published": s.text_or_number,
    "protocol": s.text,
    "app_protocol": s.text,
}
MOUNT = {
    "type": s.one_of("bind", "volume", "tmpfs", "cluster", "npipe", "image"),
    "source": s.text,
    "target": s.text,
    "read_only": s.boolean,
    "consistency": s.text,
    "bind": s.record(
        {
            "propagation": s.text,
            "create_host_path": s.boolean,
            "recursive": s.one_of("enabled", "disabled", "writable", "readonly"),
            "selinux": s.one_of("z", "Z"),
        }
    ),
    "volume": s.record({"labels": list_or_map, "nocopy": s.boolean, "subpath": s.text}),
    "tmpfs": s.record({"size": size_from_zero, "mode": s.text_or_number}),
    "image": s.record({"subpath": s.text}),
}
HOOK = {
    "command": command,
    "user": s.text,
    "privileged": s.boolean,
    "working_dir": s.text,
    "environment": list_or_map,
}
hooks = s.list_of(s.record(HOOK, required=("command",)))
WATCH = {
    "ignore": s.text_or_texts,
    "include": s.text_or_texts,
    "path": s.text,
    "action": s.one_of("rebuild", "sync", "restart", "sync+restart", "sync+exec"),
    "target": s.text,
    "exec": s.record(HOOK, required=("command",)),
    "initial_sync": s.boolean,
}
UPDATE = {
    "parallelism": s.integer(0),
    "delay": duration,
    "failure_action": s.text,
    "monitor": duration,
    "max_failure_ratio": s.number,
    "order": s.one_of("start-first", "stop-first"),
}
generic = s.list_of(
    s.record({"discrete_resource_spec": s.record({"kind": s.text, "value": s.text_or_number})})
)
DEPLOY = {
    "mode": s.text,
    "endpoint_mode": s.text,
    "replicas": s.integer(0),
    "labels": list_or_map,
    "rollback_config": s.record(UPDATE),
    "update_config": s.record(UPDATE),
    "resources": s.record(
        {
            "limits": s.record({"cpus": s.number, "memory": size_text, "pids": s.integer()}),
            "reservations": s.record(
                {
                    "cpus": s.number,
                    "memory": size_text,
                    "generic_resources": generic,
                    "devices": s.list_of(s.record(DEVICE_REQUEST, required=("capabilities",))),
                }
            ),
        }
    ),
    "restart_policy": s.record(
        {
            "condition": s.text,
            "delay": duration,
            "max_attempts": s.integer(0),
            "window": duration,
        }
    ),
    "placement": s.record(
        {
            "constraints": s.texts,
            "preferences": s.list_of(s.record({"spread": s.text})),
            "max_replicas_per_node": s.integer(0),
        }
    ),
}
log_option = s.by_kind(text=s.anything, number=s.anything, nothing=s.anything)
LOGGING = {"driver": s.text, "options": s.map_of(log_option)}
RESTART = s.matching(
    r"|no|always|unless-stopped|on-failure(:\d+)?", "no, always, on-failure[:N], unless-stopped"
)
PULL = s.matching(
    r"always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+",
    "always, never, missing, build, daily, weekly or every_<duration>",
)
