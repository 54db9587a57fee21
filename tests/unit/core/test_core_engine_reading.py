"""Reading the engine: recorded inspect answers of Engine 20.10, its errors, the kernel's files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker.errors
import pytest
import requests
import urllib3
from core_builders import NOW
from core_builders import container as built

from controller.engine.inspect import container, moment
from controller.engine.mapping import (
    BadCommandError,
    ImageMissingError,
    PortTakenError,
    mapped_errors,
)
from controller.engine.usage import Cables, Usage, read_usage, read_usages
from controller.errors import (
    EngineConflictError,
    EngineError,
    EngineNotFoundError,
    EngineUnreachableError,
)
from controller.model.observation import ContainerObs, Observation, State

RECORDED = Path(__file__).parent / "recorded"
CID = "c" * 64


def recorded(name: str) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads((RECORDED / f"inspect_{name}.json").read_text("utf-8"))
    return raw


# -- inspect


def test_a_running_service() -> None:
    found = container(recorded("running"))
    assert (found.name, found.service) == ("heal7-ai-monitoring-service-1", "ai-monitoring-service")
    assert (found.state, found.exit_code, found.health) == (State.RUNNING, None, "")
    assert found.image == "heal7/ai-monitoring-service:0.1.0"
    assert found.image_id.startswith("sha256:b40489e9")
    assert found.config_hash.startswith("da37c9ee")
    assert found.started_at == datetime(2026, 11, 23, 2, 0, 26, 949674, UTC)
    assert found.finished_at is None
    assert found.ports == {"8014/tcp": (("127.0.0.1", 8014),)}
    assert found.addresses == {"heal7_default": "192.168.208.6"}
    assert found.anonymous_volumes == ()
    assert found.incarnation == f"{found.id}@2026-11-23T02:00:26.949674+00:00"


def test_health_udp_and_anonymous_volumes() -> None:
    found = container(recorded("health"))
    assert (found.health, found.number, found.config_hash) == ("healthy", 2, "abc")
    assert found.ports == {
        "80/tcp": (("127.0.0.1", 18777),),
        "81/udp": (("0.0.0.0", 18778), ("::", 18778)),
    }
    ((target, volume),) = found.anonymous_volumes
    assert (target, len(volume)) == ("/scratch", 64)


def test_exited_created_and_killed_for_memory() -> None:
    exited, created, oom = (container(recorded(n)) for n in ("exited", "created", "oom"))
    assert (exited.state, exited.exit_code) == (State.EXITED, 3)
    assert (created.state, created.exit_code, created.started_at) == (State.CREATED, None, None)
    assert created.incarnation.endswith("@never")
    assert (oom.exit_code, oom.oom_killed) == (137, True)
    assert created.addresses == {}


def test_missing_parts_are_unknown_and_no_reason_to_fail() -> None:
    raw = {
        "Id": CID,
        "Name": "/x",
        "State": {"Status": "exited"},
        "Config": {"Labels": {"com.docker.compose.container-number": "first"}},
    }
    found = container(raw)
    assert (found.service, found.number, found.exit_code, found.ports) == ("", 1, None, {})


def test_what_is_not_an_inspect_answer_is_refused() -> None:
    with pytest.raises(KeyError):
        container({"message": "no such container"})


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        (None, None),
        ("2026-11-23T02:01:11.5Z", datetime(2026, 11, 23, 2, 1, 11, 500000, UTC)),
        ("2026-11-23T02:01:11Z", datetime(2026, 11, 23, 2, 1, 11, 0, UTC)),
        ("2026-11-23T11:01:11.123456789+09:00", datetime(2026, 11, 23, 2, 1, 11, 123456, UTC)),
    ],
)
def test_time_stamps(stamp: str | None, expected: datetime | None) -> None:
    assert moment(stamp) == expected


def test_which_container_stands_for_the_service() -> None:
    main, second = built("web", State.EXITED), built("web", container_id="2" * 64, number=2)
    spare = built("web", container_id="3" * 64, container_name="abcdefabcdef_heal7-web-1")

    def chosen(*found: ContainerObs) -> ContainerObs | None:
        return Observation(NOW, {"web": found}).of("web")

    assert chosen() is None
    assert chosen(main, second) is second
    assert chosen(spare, main) is main
    assert chosen(spare) is spare
    assert Observation(NOW).of("web") is None


# -- errors


def refusal(status: int, said: str) -> docker.errors.APIError:
    answer = requests.Response()
    answer.status_code = status
    return docker.errors.APIError("refused", answer, said)


def mapped(error: Exception) -> EngineError:
    with pytest.raises(EngineError) as caught, mapped_errors("starting the container"):
        raise error
    return caught.value


BIND_20 = (
    "driver failed programming external connectivity on endpoint heal7-web-1 "
    "(2f0c1d): Bind for 0.0.0.0:8010 failed: port is already allocated"
)
PROXY_20 = (
    "driver failed programming external connectivity on endpoint heal7-web-1 (2f0c1d): "
    "Error starting userland proxy: listen tcp4 127.0.0.1:8010: bind: address already in use"
)
PROXY_20_V6 = (
    "driver failed programming external connectivity on endpoint heal7-web-1 (2f0c1d): "
    "Error starting userland proxy: listen tcp6 [::]:8010: bind: address already in use"
)
BIND_28 = (
    "failed to set up container networking: driver failed programming external connectivity on "
    "endpoint heal7-web-1 (2f0c1d): Bind for 0.0.0.0:8010 failed: port is already allocated"
)
HOST_28 = (
    "failed to set up container networking: driver failed programming external connectivity on "
    "endpoint heal7-web-1 (2f0c1d): failed to bind host port for 0.0.0.0:8010:172.18.0.2:8000/tcp: "
    "address already in use"
)
HOST_28_SHORT = "failed to bind host port 127.0.0.1:8010/tcp: address already in use"


@pytest.mark.parametrize("said", [BIND_20, PROXY_20, PROXY_20_V6, BIND_28, HOST_28, HOST_28_SHORT])
def test_a_taken_port_is_known_by_its_text(said: str) -> None:
    error = mapped(refusal(500, said))
    assert isinstance(error, PortTakenError)
    assert error.port == 8010


def test_a_taken_port_that_is_not_named() -> None:
    error = mapped(refusal(500, "Ports are not available: exposing port failed"))
    assert isinstance(error, PortTakenError)
    assert error.port is None


@pytest.mark.parametrize(
    "said",
    [
        "OCI runtime create failed: container_linux.go:380: starting container process caused: "
        'exec: "nope": executable file not found in $PATH: unknown',
        "failed to create task for container: failed to create shim task: OCI runtime create "
        "failed: runc create failed: unable to start container process: error during container "
        'init: exec: "/nope": stat /nope: no such file or directory: unknown',
        'starting container process caused: exec: "/etc/passwd": permission denied: unknown',
    ],
)
@pytest.mark.parametrize("status", [400, 500])
def test_a_bad_command(said: str, status: int) -> None:
    assert isinstance(mapped(refusal(status, said)), BadCommandError)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refusal(404, "No such image: heal7/web:1"), ImageMissingError),
        (refusal(404, "No such container: abc"), EngineNotFoundError),
        (refusal(409, 'Conflict. The container name "/x" is already in use'), EngineConflictError),
        (refusal(409, "removal of container x is already in progress"), EngineConflictError),
        (refusal(500, "mount of type volume: no such file or directory"), EngineError),
        (refusal(400, "invalid reference format"), EngineError),
        (requests.exceptions.ConnectionError("refused"), EngineUnreachableError),
        (requests.exceptions.ReadTimeout("60 s"), EngineUnreachableError),
        (requests.exceptions.ChunkedEncodingError("broken"), EngineUnreachableError),
        (urllib3.exceptions.ProtocolError("broken"), EngineUnreachableError),
        (docker.errors.DockerException("no socket"), EngineUnreachableError),
        (ConnectionResetError(), EngineUnreachableError),
        (TimeoutError(), EngineUnreachableError),
    ],
)
def test_every_other_way_to_break(error: Exception, kind: type[EngineError]) -> None:
    found = mapped(error)
    assert type(found) is kind
    assert found.detail


def test_a_missing_image_is_named_with_its_remedy() -> None:
    error = mapped(refusal(404, "No such image: heal7/web:1"))
    assert isinstance(error, ImageMissingError)
    assert error.image == "heal7/web:1"
    assert "heal7/web:1" in (error.remedy or "")


def test_our_own_errors_pass_unchanged() -> None:
    ours = EngineNotFoundError("gone")
    assert mapped(ours) is ours


# -- what a container uses


@pytest.fixture(params=["docker/{id}", "system.slice/docker-{id}.scope"], ids=["fs", "systemd"])
def place(request: pytest.FixtureRequest) -> str:
    pattern: str = request.param
    return pattern.format(id=CID)


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)


def test_usage_on_the_unified_hierarchy(tmp_path: Path, place: str) -> None:
    write(
        tmp_path / place,
        cpu__stat="usage_usec 1500\nuser_usec 1000\n",
        memory__current="5000\n",
        memory__stat="anon 3000\ninactive_file 2000\n",
    )
    assert read_usage(CID, tmp_path) == Usage(cpu_ns=1_500_000, memory_bytes=3000)
    blocks = tmp_path / place / "io.stat"
    blocks.write_text("8:0 rbytes=10 wbytes=7 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=5\n")
    found = read_usage(CID, tmp_path)
    assert found is not None
    assert (found.read_bytes, found.written_bytes) == (15, 7)
    blocks.write_text("")
    found = read_usage(CID, tmp_path)
    assert found is not None
    assert (found.read_bytes, found.written_bytes) == (0, 0), "it did neither"


def test_usage_on_the_old_hierarchies(tmp_path: Path, place: str) -> None:
    write(
        tmp_path / "memory" / place,
        memory__usage_in_bytes="5000\n",
        memory__stat="cache 1\ntotal_inactive_file 6000\n",
    )
    write(tmp_path / "cpuacct" / place, cpuacct__usage="42\n")
    assert read_usage(CID, tmp_path) == Usage(cpu_ns=42, memory_bytes=0)
    blocks = "8:0 Read 4096\n8:0 Write 100\n8:0 Total 4196\n8:16 Read 4\nTotal 4200\n"
    write(tmp_path / "blkio" / place, **{"blkio.throttle.io_service_bytes_recursive": blocks})
    found = read_usage(CID, tmp_path)
    assert found is not None
    assert (found.read_bytes, found.written_bytes) == (4100, 100)
    (tmp_path / "blkio" / place / "blkio.throttle.io_service_bytes_recursive").write_text("Total 0")
    found = read_usage(CID, tmp_path)
    assert found is not None
    assert (found.read_bytes, found.written_bytes) == (None, None), "nobody counted"


class Host:
    """A host's bridges, virtual cables and counters, as the kernel shows them."""

    def __init__(self, folder: Path):
        self.net, self.counters = folder / "net", folder / "dev"
        self.net.mkdir()
        self.count()

    def bridge(self, name: str, entries: list[tuple[str, int, bool]], **ports: int) -> None:
        (self.net / name / "brif").mkdir(parents=True, exist_ok=True)
        for end, number in ports.items():
            (self.net / name / "brif" / end).mkdir(exist_ok=True)
            (self.net / name / "brif" / end / "port_no").write_text(f"{number:#x}\n")
        rows = (
            bytes.fromhex(mac.replace(":", "")) + bytes([port & 255, own]) + bytes(4)
            + bytes([port >> 8]) + bytes(3)
            for mac, port, own in entries
        )  # fmt: skip
        (self.net / name / "brforward").write_bytes(b"".join(rows))

    def count(self, **counted: tuple[int, int]) -> None:
        rows = [f"{end}: {r} 1 0 0 0 0 0 0 {s} 1 0 0 0 0 0 0" for end, (r, s) in counted.items()]
        self.counters.write_text("\n".join(["Inter-|", " face |", *rows]) + "\n")


USED = {"a": Usage(1, 2), "b": Usage(3, 4), "c": Usage(5, 6)}


def test_traffic_is_that_of_the_other_end_of_each_cable(tmp_path: Path) -> None:
    host = Host(tmp_path)
    cables = Cables(host.net, host.counters)
    one, two, three = ("02:42:ac:12:00:02", "02:42:ac:13:00:02", "02:42:ac:12:00:03")
    macs = {"a": (one, two), "b": (three,)}
    host.bridge("br-1", [(one, 1, False), ("aa:00:00:00:00:01", 1, True)], veth1=1, veth3=2)
    host.count(lo=(9, 9), veth1=(10, 100), veth2=(1, 2), veth3=(5, 6))
    found = cables.read_traffic(USED, macs)
    assert found == USED, "one network of it was not found, and of the other nothing was heard yet"
    host.bridge("br-1", [(one, 1, False), (three, 2, False)])
    host.bridge("br-2", [(two, 259, False)], veth2=259)
    found = cables.read_traffic(USED, macs)
    assert (found["a"].received_bytes, found["a"].sent_bytes) == (102, 11)
    assert (found["b"].received_bytes, found["b"].sent_bytes) == (6, 5)
    assert found["c"] == USED["c"], "it has no network of its own"


def test_a_cable_that_was_found_is_kept_until_it_is_gone(tmp_path: Path) -> None:
    host = Host(tmp_path)
    cables = Cables(host.net, host.counters)
    mac = "02:42:ac:12:00:02"
    host.bridge("br-1", [(mac, 1, False)], veth1=1)
    host.count(veth1=(1, 2))
    assert cables.read_traffic(USED, {"a": (mac,)})["a"].sent_bytes == 1
    # A bridge forgets whom it has not heard for five minutes.
    host.bridge("br-1", [])
    host.count(veth1=(7, 2))
    assert cables.read_traffic(USED, {"a": (mac,)})["a"].sent_bytes == 7
    host.count(veth9=(50, 50))
    assert cables.read_traffic(USED, {"a": (mac,)})["a"] == USED["a"]
    host.bridge("br-1", [(mac, 2, False)], veth9=2)
    assert cables.read_traffic(USED, {"a": (mac,)})["a"].sent_bytes == 50


def test_no_counters_no_traffic(tmp_path: Path) -> None:
    assert Cables(tmp_path, tmp_path / "none").read_traffic(USED, {"a": ("x",)}) == USED


def broken_trees() -> Iterator[tuple[str, Callable[[Path], None]]]:
    v2 = Path("docker") / CID
    yield "nothing", lambda root: None
    yield "no memory", lambda root: write(root / v2, cpu__stat="usage_usec 1\n")
    yield (
        "not numbers",
        lambda root: write(
            root / v2,
            cpu__stat="usage_usec x\n",
            memory__current="1",
            memory__stat="inactive_file 0\n",
        ),
    )
    yield (
        "other keys",
        lambda root: write(
            root / v2, cpu__stat="nr 1\n", memory__current="1", memory__stat="inactive_file 0\n"
        ),
    )
    yield (
        "no cpu beside memory",
        lambda root: write(
            root / "memory" / v2, memory__usage_in_bytes="1", memory__stat="total_inactive_file 0\n"
        ),
    )


@pytest.mark.parametrize(
    "make", [make for _, make in broken_trees()], ids=[name for name, _ in broken_trees()]
)
def test_what_cannot_be_read_is_none_and_never_a_guess(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path)
    assert read_usage(CID, tmp_path) is None
    assert read_usages([CID], tmp_path) == {}
