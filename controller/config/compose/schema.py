"""Every key of the Compose Specification and the shape of its value.

Written from the specification's JSON schema. What the hub can do with a key is not said here but
in `honoured.py`: a key may be well formed and still earn a warning.
"""

from __future__ import annotations

from controller.config.compose import shapes as s
from controller.config.compose.units import parse_bytes, parse_duration
from controller.config.node import Node, Report

_duration = s.by_kind(text=s.parsed(parse_duration))


def _bytes_check(node: Node, path: str, report: Report) -> None:
    value = node.value
    try:
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            parse_bytes(value)
    except ValueError as error:
        report.fault(node.mark, f"{path}: found {s.described(node)}; {error}")


_size = s.by_kind(number=_bytes_check, text=_bytes_check)
_size_text = s.by_kind(text=_bytes_check)
_command = s.by_kind(nothing=s.anything, text=s.anything, list=s.list_items(s.text))
_list_or_map = s.by_kind(mapping=s.entries(s.scalar), list=s.list_items(s.text))
_options = s.map_of(s.text_or_number)
_hosts = s.by_kind(
    mapping=s.entries(s.by_kind(text=s.anything, list=s.list_items(s.text))),
    list=s.list_items(s.text, unique=True),
)
_limit = s.integer(-1)

_ulimits = s.map_of(
    s.by_kind(
        number=s.integer(-1),
        text=s.integer(-1),
        mapping=s.fields({"hard": _limit, "soft": _limit}, required=("soft", "hard")),
    )
)
_file_mount = s.list_of(
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
_BUILD = {
    "context": s.text,
    "dockerfile": s.text,
    "dockerfile_inline": s.text,
    "entitlements": s.texts,
    "args": _list_or_map,
    "ssh": _list_or_map,
    "labels": _list_or_map,
    "cache_from": s.texts,
    "cache_to": s.texts,
    "no_cache": s.boolean,
    "no_cache_filter": s.text_or_texts,
    "additional_contexts": _list_or_map,
    "network": s.text,
    "provenance": s.by_kind(text=s.anything, boolean=s.anything),
    "sbom": s.by_kind(text=s.anything, boolean=s.anything),
    "pull": s.boolean,
    "target": s.text,
    "shm_size": _size,
    "extra_hosts": _hosts,
    "isolation": s.text,
    "privileged": s.boolean,
    "secrets": _file_mount,
    "tags": s.texts,
    "ulimits": _ulimits,
    "platforms": s.texts,
}
_blkio_limit = s.list_of(s.record({"path": s.text, "rate": _size}))
_blkio_weight = s.list_of(s.record({"path": s.text, "weight": s.integer(0, 1000)}))
_BLKIO = {
    "device_read_bps": _blkio_limit,
    "device_read_iops": _blkio_limit,
    "device_write_bps": _blkio_limit,
    "device_write_iops": _blkio_limit,
    "weight": s.integer(0, 1000),
    "weight_device": _blkio_weight,
}
_condition = s.one_of("service_started", "service_healthy", "service_completed_successfully")
_depends_on = s.by_kind(
    list=s.list_items(s.text, unique=True),
    mapping=s.entries(
        s.record(
            {"condition": _condition, "restart": s.boolean, "required": s.boolean},
            required=("condition",),
        ),
        key=s.RESOURCE_NAME,
    ),
)
_env_file = s.by_kind(
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
_DEVICE_REQUEST = {
    "capabilities": s.texts,
    "count": s.by_kind(number=s.integer(), text=s.anything),
    "device_ids": s.texts,
    "driver": s.text,
    "options": _list_or_map,
}
_gpus = s.by_kind(
    text=s.matching("all", "all, or a list of device requests"),
    list=s.list_items(s.record(_DEVICE_REQUEST)),
)
_HEALTHCHECK = {
    "disable": s.boolean,
    "interval": _duration,
    "retries": s.integer(0),
    "test": s.by_kind(text=s.anything, list=s.list_items(s.text)),
    "timeout": _duration,
    "start_period": _duration,
    "start_interval": _duration,
}
_ENDPOINT = {
    "aliases": s.unique_texts,
    "interface_name": s.text,
    "ipv4_address": s.text,
    "ipv6_address": s.text,
    "link_local_ips": s.unique_texts,
    "mac_address": s.text,
    "driver_opts": _options,
    "priority": s.integer(),
    "gw_priority": s.integer(),
}
_PORT = {
    "name": s.text,
    "mode": s.one_of("ingress", "host"),
    "host_ip": s.text,
    "target": s.integer(0, 65535),
    "published": s.text_or_number,
    "protocol": s.text,
    "app_protocol": s.text,
}
_MOUNT = {
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
    "volume": s.record({"labels": _list_or_map, "nocopy": s.boolean, "subpath": s.text}),
    "tmpfs": s.record({"size": _size, "mode": s.text_or_number}),
    "image": s.record({"subpath": s.text}),
}
_HOOK = {
    "command": _command,
    "user": s.text,
    "privileged": s.boolean,
    "working_dir": s.text,
    "environment": _list_or_map,
}
_hooks = s.list_of(s.record(_HOOK, required=("command",)))
_WATCH = {
    "ignore": s.text_or_texts,
    "include": s.text_or_texts,
    "path": s.text,
    "action": s.one_of("rebuild", "sync", "restart", "sync+restart", "sync+exec"),
    "target": s.text,
    "exec": s.record(_HOOK, required=("command",)),
    "initial_sync": s.boolean,
}
_UPDATE = {
    "parallelism": s.integer(0),
    "delay": _duration,
    "failure_action": s.text,
    "monitor": _duration,
    "max_failure_ratio": s.number,
    "order": s.one_of("start-first", "stop-first"),
}
_generic = s.list_of(
    s.record({"discrete_resource_spec": s.record({"kind": s.text, "value": s.text_or_number})})
)
_DEPLOY = {
    "mode": s.text,
    "endpoint_mode": s.text,
    "replicas": s.integer(0),
    "labels": _list_or_map,
    "rollback_config": s.record(_UPDATE),
    "update_config": s.record(_UPDATE),
    "resources": s.record(
        {
            "limits": s.record({"cpus": s.number, "memory": _size_text, "pids": s.integer()}),
            "reservations": s.record(
                {
                    "cpus": s.number,
                    "memory": _size_text,
                    "generic_resources": _generic,
                    "devices": s.list_of(s.record(_DEVICE_REQUEST, required=("capabilities",))),
                }
            ),
        }
    ),
    "restart_policy": s.record(
        {
            "condition": s.text,
            "delay": _duration,
            "max_attempts": s.integer(0),
            "window": _duration,
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
_log_option = s.by_kind(text=s.anything, number=s.anything, nothing=s.anything)
_LOGGING = {"driver": s.text, "options": s.map_of(_log_option)}
_RESTART = s.matching(
    r"no|always|unless-stopped|on-failure(:\d+)?", "no, always, on-failure[:N], unless-stopped"
)
_PULL = s.matching(
    r"always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+",
    "always, never, missing, build, daily, weekly or every_<duration>",
)

SERVICE: dict[str, s.Check] = {
    "annotations": _list_or_map,
    "attach": s.boolean,
    "blkio_config": s.record(_BLKIO),
    "build": s.by_kind(text=s.anything, mapping=s.fields(_BUILD)),
    "cap_add": s.texts,
    "cap_drop": s.texts,
    "cgroup": s.one_of("host", "private"),
    "cgroup_parent": s.text,
    "command": _command,
    "configs": _file_mount,
    "container_name": s.by_kind(
        text=s.matching(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", "two or more of A-Z a-z 0-9 _ . -")
    ),
    "cpu_count": s.integer(0),
    "cpu_percent": s.integer(0, 100),
    "cpu_period": s.by_kind(number=s.integer(0), text=s.anything),
    "cpu_quota": s.integer(),
    "cpu_rt_period": s.by_kind(number=s.integer(0), text=s.anything),
    "cpu_rt_runtime": s.by_kind(number=s.integer(0), text=s.anything),
    "cpu_shares": s.integer(0),
    "cpus": s.number,
    "cpuset": s.text,
    "credential_spec": s.record({"config": s.text, "file": s.text, "registry": s.text}),
    "depends_on": _depends_on,
    "deploy": s.record(_DEPLOY, nothing=True),
    "develop": s.record(
        {"watch": s.list_of(s.record(_WATCH, required=("path", "action")))}, nothing=True
    ),
    "device_cgroup_rules": s.unique_texts,
    "devices": s.list_of(
        s.by_kind(
            text=s.anything,
            mapping=s.fields(
                {"source": s.text, "target": s.text, "permissions": s.text}, required=("source",)
            ),
        )
    ),
    "dns": s.text_or_texts,
    "dns_opt": s.texts,
    "dns_search": s.text_or_texts,
    "domainname": s.text,
    "entrypoint": _command,
    "env_file": _env_file,
    "environment": _list_or_map,
    "expose": s.list_of(s.text_or_number),
    "extends": s.anything,
    "external_links": s.unique_texts,
    "extra_hosts": _hosts,
    "gpus": _gpus,
    "group_add": s.list_of(s.text_or_number, unique=True),
    "healthcheck": s.record(_HEALTHCHECK),
    "hostname": s.text,
    "image": s.text,
    "init": s.boolean,
    "ipc": s.text,
    "isolation": s.text,
    "label_file": s.text_or_texts,
    "labels": _list_or_map,
    "links": s.texts,
    "logging": s.record(_LOGGING),
    "mac_address": s.text,
    "mem_limit": _size,
    "mem_reservation": _size,
    "mem_swappiness": s.integer(-1, 100),
    "memswap_limit": _size,
    "models": s.by_kind(
        list=s.list_items(s.text, unique=True),
        mapping=s.entries(
            s.record({"endpoint_var": s.text, "model_var": s.text}, nothing=True),
            key=s.RESOURCE_NAME,
        ),
    ),
    "network_mode": s.text,
    "networks": s.by_kind(
        list=s.list_items(s.text, unique=True),
        mapping=s.entries(s.record(_ENDPOINT, nothing=True), key=s.RESOURCE_NAME),
    ),
    "oom_kill_disable": s.boolean,
    "oom_score_adj": s.integer(-1000, 1000),
    "pid": s.text_or_nothing,
    "pids_limit": s.integer(),
    "platform": s.text,
    "ports": s.list_of(
        s.by_kind(number=s.integer(0, 65535), text=s.anything, mapping=s.fields(_PORT))
    ),
    "post_start": _hooks,
    "pre_start": s.list_of(s.record({**_HOOK, "image": s.text, "per_replica": s.boolean})),
    "pre_stop": _hooks,
    "privileged": s.boolean,
    "profiles": s.list_of(
        s.by_kind(
            text=s.matching(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", "a name of A-Z a-z 0-9 _ . -"),
        )
    ),
    "provider": s.record({"type": s.text, "options": s.map_of(s.anything)}, required=("type",)),
    "pull_policy": s.by_kind(text=_PULL),
    "pull_refresh_after": s.text,
    "read_only": s.boolean,
    "restart": s.by_kind(text=_RESTART),
    "runtime": s.text,
    "scale": s.integer(0),
    "secrets": _file_mount,
    "security_opt": s.unique_texts,
    "shm_size": _size,
    "stdin_open": s.boolean,
    "stop_grace_period": _duration,
    "stop_signal": s.text,
    "storage_opt": s.map_of(s.anything),
    "sysctls": _list_or_map,
    "tmpfs": s.text_or_texts,
    "tty": s.boolean,
    "ulimits": _ulimits,
    "use_api_socket": s.boolean,
    "user": s.text,
    "userns_mode": s.text,
    "uts": s.text,
    "volumes": s.list_of(s.by_kind(text=s.anything, mapping=s.fields(_MOUNT, required=("type",)))),
    "volumes_from": s.unique_texts,
    "working_dir": s.text,
}

_external = s.by_kind(boolean=s.anything, text=s.boolean, mapping=s.fields({"name": s.text}))
_NETWORK = {
    "name": s.text,
    "driver": s.text,
    "driver_opts": _options,
    "ipam": s.record(
        {
            "driver": s.text,
            "config": s.list_of(
                s.record(
                    {
                        "subnet": s.text,
                        "ip_range": s.text,
                        "gateway": s.text,
                        "aux_addresses": s.map_of(s.text),
                    }
                )
            ),
            "options": s.map_of(s.text),
        }
    ),
    "external": _external,
    "internal": s.boolean,
    "enable_ipv4": s.boolean,
    "enable_ipv6": s.boolean,
    "attachable": s.boolean,
    "labels": _list_or_map,
}
_VOLUME = {
    "name": s.text,
    "driver": s.text,
    "driver_opts": _options,
    "external": _external,
    "labels": _list_or_map,
}
_SECRET = {
    "name": s.text,
    "environment": s.text,
    "file": s.text,
    "external": _external,
    "labels": _list_or_map,
    "driver": s.text,
    "driver_opts": _options,
    "template_driver": s.text,
}
_CONFIG = {
    "name": s.text,
    "content": s.text,
    "environment": s.text,
    "file": s.text,
    "external": _external,
    "labels": _list_or_map,
    "template_driver": s.text,
}
_MODEL = {
    "name": s.text,
    "model": s.text,
    "context_size": s.integer(),
    "runtime_flags": s.texts,
}

ROOT: dict[str, s.Check] = {
    "version": s.text,
    "name": s.text,
    "include": s.anything,
    "services": s.map_of(s.record(SERVICE), key=s.RESOURCE_NAME),
    "networks": s.map_of(s.record(_NETWORK, nothing=True), key=s.RESOURCE_NAME),
    "volumes": s.map_of(s.record(_VOLUME, nothing=True), key=s.RESOURCE_NAME),
    "secrets": s.map_of(s.record(_SECRET), key=s.RESOURCE_NAME),
    "configs": s.map_of(s.record(_CONFIG), key=s.RESOURCE_NAME),
    "models": s.map_of(s.record(_MODEL, required=("model",)), key=s.RESOURCE_NAME),
}
_root = s.by_kind(mapping=s.fields(ROOT))


def check_structure(tree: Node, report: Report) -> None:
    """Writes a fault for every value of the wrong shape and every key the specification lacks."""
    if not isinstance(tree.value, dict):
        report.fault(tree.mark, f"found {tree.kind}; a compose file is a mapping with `services`")
        return
    _root(tree, "", report)
