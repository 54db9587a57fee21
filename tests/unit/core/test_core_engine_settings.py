"""The rarer keys of a compose file, from the text to what the engine is asked for."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest

from controller.engine import create
from tests.unit.config.config_helpers import web_spec


def asked(body: str) -> dict[str, Any]:
    return create.host_config(web_spec(body).container)


@pytest.mark.parametrize(
    ("key", "argument", "value"),
    [
        ("cgroup_parent: g", "cgroup_parent", "g"),
        ("cgroup: host", "cgroupns", "host"),
        ("cpu_period: 1000", "cpu_period", 1000),
        ("cpu_quota: '500'", "cpu_quota", 500),
        ("cpu_rt_period: 9", "cpu_rt_period", 9),
        ("cpu_rt_runtime: '95'", "cpu_rt_runtime", 95),
        ("cpu_shares: 3", "cpu_shares", 3),
        ("cpuset: 0,1", "cpuset_cpus", "0,1"),
        ("device_cgroup_rules: ['c 1:3 mr']", "device_cgroup_rules", ["c 1:3 mr"]),
        ("devices: ['/dev/a:/dev/b:r']", "devices", ["/dev/a:/dev/b:r"]),
        ("devices: [/dev/a]", "devices", ["/dev/a:/dev/a:rwm"]),
        ("dns_opt: [ndots:1]", "dns_opt", ["ndots:1"]),
        ("dns_search: a.b", "dns_search", ["a.b"]),
        ("mem_swappiness: 7", "mem_swappiness", 7),
        ("memswap_limit: 1m", "memswap_limit", 1 << 20),
        ("memswap_limit: -1", "memswap_limit", -1),
        ("oom_kill_disable: true", "oom_kill_disable", True),
        ("runtime: runsc", "runtime", "runsc"),
        ("storage_opt: {size: 1G}", "storage_opt", {"size": "1G"}),
        ("userns_mode: host", "userns_mode", "host"),
        ("uts: host", "uts_mode", "host"),
        ("volumes_from: ['container:x:ro']", "volumes_from", ["x:ro"]),
        ("blkio_config: {weight: 10}", "blkio_weight", 10),
        (
            "blkio_config: {weight_device: [{path: /a, weight: 9}]}",
            "blkio_weight_device",
            [{"Path": "/a", "Weight": 9}],
        ),
        (
            "blkio_config: {device_read_bps: [{path: /a, rate: 1m}]}",
            "device_read_bps",
            [{"Path": "/a", "Rate": 1 << 20}],
        ),
        (
            "blkio_config: {device_write_iops: [{path: /a, rate: 30}]}",
            "device_write_iops",
            [{"Path": "/a", "Rate": 30}],
        ),
        ("volumes: ['./a:/b']", "binds", ["/p/demo/a:/b:rw"]),
        ("volumes: ['/a:/b:ro,Z']", "binds", ["/a:/b:ro,Z"]),
    ],
)
def test_a_key_reaches_the_engine(key: str, argument: str, value: object) -> None:
    assert asked(key)[argument] == value
    assert argument not in asked("")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("gpus: all", {"Count": -1, "Capabilities": [["gpu"]]}),
        ("gpus: [{count: 2, driver: nvidia}]", {"Count": 2, "Driver": "nvidia"}),
        ("gpus: [{device_ids: ['0'], options: [a=b]}]",
         {"Count": 0, "DeviceIDs": ["0"], "Options": {"a": "b"}}),
        ("deploy: {resources: {reservations: {devices: [{capabilities: [tpu]}]}}}",
         {"Count": -1, "Capabilities": [["tpu"]]}),
    ],
)  # fmt: skip
def test_devices_are_requested(key: str, expected: dict[str, object]) -> None:
    (request,) = asked(key)["device_requests"]
    assert {name: request[name] for name in expected} == expected


def test_a_secret_of_a_file_is_a_read_only_bind() -> None:
    body = "secrets: [s, {source: s, target: /t}]\n---\nsecrets: {s: {file: ./f}}"
    mounts = asked(body)["mounts"]
    assert [(m["Source"], m["Target"], m["ReadOnly"]) for m in mounts] == [
        ("/p/demo/f", "/run/secrets/s", True),
        ("/p/demo/f", "/t", True),
    ]


def test_a_config_of_a_text_is_written_into_the_container() -> None:
    body = "configs: [{source: c, target: /etc/c, mode: 0400, uid: '5'}]"
    (file,) = web_spec(body + "\n---\nconfigs: {c: {content: hello}}").container.settings.files
    with tarfile.open(fileobj=io.BytesIO(create.archive((file,)))) as packed:
        (entry,) = packed.getmembers()
        read = packed.extractfile(entry)
        assert read is not None
        assert read.read() == b"hello"
        assert (entry.name, entry.mode, entry.uid) == ("etc/c", 0o400, 5)


def test_what_a_secret_holds_is_not_shown() -> None:
    body = "configs: [c]\n---\nconfigs: {c: {content: hunter2}}"
    assert "hunter2" not in repr(web_spec(body))


def test_an_endpoint_says_all_that_the_file_says() -> None:
    body = (
        "networks: {default: {mac_address: '02:00:00:00:00:01', link_local_ips: [169.254.1.1], "
        "driver_opts: {a: 1}}}\nexternal_links: ['old:db', other]"
    )
    assert create.endpoint(web_spec(body).container, "demo_default") == {
        "aliases": ["web"],
        "link_local_ips": ["169.254.1.1"],
        "links": [("old", "db"), ("other", "other")],
        "mac_address": "02:00:00:00:00:01",
        "driver_opt": {"a": "1"},
    }


def test_the_platform_and_the_address_of_the_whole_container() -> None:
    body = "platform: linux/amd64\nmac_address: '02:00:00:00:00:02'\n"
    body += "healthcheck: {test: x, start_interval: 2s}"
    found = create.container_config(web_spec(body).container, "sha256:a")
    assert (found["platform"], found["mac_address"]) == ("linux/amd64", "02:00:00:00:00:02")
    assert found["healthcheck"]["StartInterval"] == 2_000_000_000
