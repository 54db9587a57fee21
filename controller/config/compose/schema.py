"""Every key of the Compose Specification and the shape of its value.

Written from the specification's JSON schema. What the hub can do with a key is not said here but
in `honoured.py`: a key may be well formed and still earn a warning.
"""

from __future__ import annotations

from controller.config.compose import schema_parts as p
from controller.config.compose import shapes as s
from controller.config.node import Node, Report

SERVICE: dict[str, s.Check] = {
    "annotations": p.list_or_map,
    "attach": s.boolean,
    "blkio_config": s.record(p.BLKIO),
    "build": s.by_kind(text=s.anything, mapping=s.fields(p.BUILD)),
    "cap_add": s.texts,
    "cap_drop": s.texts,
    "cgroup": s.one_of("host", "private"),
    "cgroup_parent": s.text,
    "command": p.command,
    "configs": p.file_mount,
    "container_name": s.by_kind(
        text=s.matching(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", "two or more of A-Z a-z 0-9 _ . -")
    ),
    "cpu_count": s.integer(0),
    "cpu_percent": s.integer(0, 100),
    "cpu_period": s.integer(0),
    "cpu_quota": s.integer(),
    "cpu_rt_period": s.integer(0),
    "cpu_rt_runtime": s.integer(0),
    "cpu_shares": s.integer(0),
    "cpus": s.number,
    "cpuset": s.text,
    "credential_spec": s.record({"config": s.text, "file": s.text, "registry": s.text}),
    "depends_on": p.depends_on,
    "deploy": s.record(p.DEPLOY, nothing=True),
    "develop": s.record(
        {"watch": s.list_of(s.record(p.WATCH, required=("path", "action")))}, nothing=True
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
    "entrypoint": p.command,
    "env_file": p.env_file,
    "environment": p.list_or_map,
    "expose": s.list_of(s.text_or_number),
    "extends": p.extends,
    "external_links": s.unique_texts,
    "extra_hosts": p.hosts,
    "gpus": p.gpus,
    "group_add": s.list_of(s.text_or_number, unique=True),
    "healthcheck": s.record(p.HEALTHCHECK),
    "hostname": s.text,
    "image": s.text,
    "init": s.boolean,
    "ipc": s.text,
    "isolation": s.text,
    "label_file": s.text_or_texts,
    "labels": p.list_or_map,
    "links": s.texts,
    "logging": s.record(p.LOGGING),
    "mac_address": s.text,
    "mem_limit": p.size,
    "mem_reservation": p.size,
    "mem_swappiness": s.integer(-1, 100),
    "memswap_limit": p.size,
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
        mapping=s.entries(s.record(p.ENDPOINT, nothing=True), key=s.RESOURCE_NAME),
    ),
    "oom_kill_disable": s.boolean,
    "oom_score_adj": s.integer(-1000, 1000),
    "pid": s.text_or_nothing,
    "pids_limit": s.integer(),
    "platform": s.text,
    "ports": s.list_of(
        s.by_kind(number=s.integer(1, 65535), text=s.anything, mapping=s.fields(p.PORT))
    ),
    "post_start": p.hooks,
    "pre_start": s.list_of(s.record({**p.HOOK, "image": s.text, "per_replica": s.boolean})),
    "pre_stop": p.hooks,
    "privileged": s.boolean,
    "profiles": s.list_of(
        s.by_kind(
            text=s.matching(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", "a name of A-Z a-z 0-9 _ . -"),
        )
    ),
    "provider": s.record({"type": s.text, "options": s.map_of(s.anything)}, required=("type",)),
    "pull_policy": s.by_kind(text=p.PULL),
    "pull_refresh_after": s.text,
    "read_only": s.boolean,
    "restart": s.by_kind(text=p.RESTART),
    "runtime": s.text,
    "scale": s.integer(0),
    "secrets": p.file_mount,
    "security_opt": s.unique_texts,
    "shm_size": p.size,
    "stdin_open": s.boolean,
    "stop_grace_period": p.duration,
    "stop_signal": s.text,
    "storage_opt": s.map_of(s.anything),
    "sysctls": p.list_or_map,
    "tmpfs": s.text_or_texts,
    "tty": s.boolean,
    "ulimits": p.ulimits,
    "use_api_socket": s.boolean,
    "user": s.text,
    "userns_mode": s.text,
    "uts": s.text,
    "volumes": s.list_of(s.by_kind(text=s.anything, mapping=s.fields(p.MOUNT, required=("type",)))),
    "volumes_from": s.unique_texts,
    "working_dir": s.text,
}

_service = s.record(SERVICE)


def _any_service(node: Node, path: str, report: Report) -> None:
    """A key that says nothing leaves it to the service that this one extends."""
    before = report.laid_over
    report.laid_over = before or node.get("extends") is not None
    _service(node, path, report)
    report.laid_over = before


_external = s.by_kind(boolean=s.anything, text=s.boolean, mapping=s.fields({"name": s.text}))
_NETWORK = {
    "name": s.text,
    "driver": s.text,
    "driver_opts": p.options,
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
    "labels": p.list_or_map,
}
_VOLUME = {
    "name": s.text,
    "driver": s.text,
    "driver_opts": p.options,
    "external": _external,
    "labels": p.list_or_map,
}
_SECRET = {
    "name": s.text,
    "environment": s.text,
    "file": s.text,
    "external": _external,
    "labels": p.list_or_map,
    "driver": s.text,
    "driver_opts": p.options,
    "template_driver": s.text,
}
_CONFIG = {
    "name": s.text,
    "content": s.text,
    "environment": s.text,
    "file": s.text,
    "external": _external,
    "labels": p.list_or_map,
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
    "include": p.include,
    "services": s.map_of(_any_service, key=s.RESOURCE_NAME),
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
