"""A second Docker engine for tests that end, kill or freeze one: it runs inside a container.

Only its dockerd is touched: the container goes on (its first process is an init that sleeps), and
what ran inside lives or dies as it would on a real machine. Network, storage and control groups
are its own, so that the machine's engine notices nothing.

Reaching what it runs: ports named to the constructor are the same on this machine's 127.0.0.1, for
what publishes on loopback as for what publishes everywhere. There the machine's engine accepts a
connection even while nothing listens inside, and closes it: to see a refused port as it is, run a
program with `inside` before its command, which puts it into the inner machine's network.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Self

import docker
from docker.errors import DockerException, ImageNotFound, NotFound

from controller import clock
from tests.integration.it_engine import Witness
from tests.integration.it_wait import eventually

IMAGE = "heal7/test-engine:1"
_BASE = "heal7/python-base:3.13-trixie"
_DOCKERFILE = f"""
FROM {_BASE}
ARG DEBIAN_FRONTEND=noninteractive
RUN apt-get -q update \\
 && apt-get -q install -y --no-install-recommends docker.io iptables \\
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
"""
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_CGROUPS = Path("/sys/fs/cgroup")
_PID_FILE = "/run/docker.pid"
_LOG = "/var/log/dockerd.log"
# `--privileged` needs CAP_SYS_RESOURCE, which some machines lack; this is what dockerd needs.
_RIGHTS: dict[str, Any] = {
    "cap_add": ["ALL"],
    "cap_drop": ["SYS_RESOURCE"],
    "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
    "device_cgroup_rules": ["a *:* rwm"],
    "cgroupns": "host",
    "sysctls": {"net.ipv4.conf.all.route_localnet": "1"},
    "init": True,
}
# What the command line calls `--security-opt systempaths=unconfined`.
_OPEN_PATHS: dict[str, list[str]] = {"MaskedPaths": [], "ReadonlyPaths": []}


def ensure_image(api: docker.DockerClient) -> None:
    """Build the engine's image unless this machine has it."""
    with contextlib.suppress(ImageNotFound):
        api.images.get(IMAGE)
        return
    proxies = {name: os.environ[name] for name in _PROXIES if os.environ.get(name)}
    api.images.build(
        fileobj=io.BytesIO(_DOCKERFILE.encode()), tag=IMAGE, buildargs=proxies, rm=True
    )


class SecondEngine:
    """An inner engine with a life of its own. A context manager: it leaves nothing behind.

    `ports` are those of this machine that lead to the same port of the inner one.
    """

    def __init__(self, outer: Witness, ports: tuple[int, ...] = ()):
        self._outer = outer
        self._ports = ports
        self.name = clock.new_id("heal7-it-engine").replace("_", "-")
        # A socket's path must be short, and pytest's folders are not.
        self._folder = Path(tempfile.mkdtemp(prefix="heal7-engine-"))
        self.socket = f"unix://{self._folder}/docker.sock"
        self._witness: Witness | None = None

    # -- the engine

    def __enter__(self) -> Self:
        try:
            ensure_image(self._outer.api)
            self._run_container()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def witness(self) -> Witness:
        """The inner engine, asked directly."""
        if self._witness is None:
            self._witness = Witness(docker.DockerClient(self.socket, version="auto", timeout=30))
        return self._witness

    @property
    def inside(self) -> tuple[str, ...]:
        """Put before a command, runs it in the inner machine's network (its 127.0.0.1)."""
        pid = self._outer.api.api.inspect_container(self.name)["State"]["Pid"]
        return ("nsenter", "--target", str(pid), "--net")

    def start(self) -> None:
        """Start the inner dockerd; returns when it answers."""
        container = self._outer.api.containers.get(self.name)
        command = f"exec {' '.join(self._dockerd())} >>{_LOG} 2>&1"
        container.exec_run(["sh", "-c", command], detach=True)
        eventually(self.answers, 30, "the inner engine answers")

    def term(self) -> None:
        """Stop the inner dockerd as a service manager does; returns when it has ended."""
        self._signal("TERM")
        eventually(lambda: not self.running(), 30, "the inner dockerd ends")

    def kill(self) -> None:
        """SIGKILL to the inner dockerd: its containers go on without it."""
        self._signal("KILL")
        eventually(lambda: not self.running(), 10, "the inner dockerd ends")
        # Left by the killed one: another process may get its number.
        self._shell(f"rm -f {_PID_FILE}")

    def freeze(self) -> None:
        """SIGSTOP to the inner dockerd: its socket accepts, and nobody answers."""
        self._signal("STOP")

    def thaw(self) -> None:
        self._signal("CONT")

    def running(self) -> bool:
        """Whether there is a dockerd, frozen or not."""
        return self._shell(f"kill -0 $(cat {_PID_FILE}) 2>&1 || echo none") == ""

    def answers(self) -> bool:
        try:
            with contextlib.closing(
                docker.DockerClient(self.socket, version="auto", timeout=2)
            ) as client:
                return bool(client.ping())
        except (DockerException, OSError):
            return False

    def log(self) -> str:
        """What the inner dockerd said, for a test that wants to know why."""
        return self._shell(f"cat {_LOG}")

    def close(self) -> None:
        """Remove everything of it, in whatever state it is."""
        if self._witness is not None:
            self._witness.api.close()
        with contextlib.suppress(NotFound):
            container = self._outer.api.containers.get(self.name)
            try:
                if container.status == "running":
                    self._end_what_it_runs()
            finally:
                container.remove(force=True, v=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- what it runs

    def load(self, *references: str) -> None:
        """Give it images of this machine's engine."""
        # Its types know no stream of pieces, which it takes.
        images: Any = self.witness.api.images
        for reference in references:
            images.load(self._outer.api.images.get(reference).save(named=reference))

    # -- the container around it

    def _run_container(self) -> None:
        api = self._outer.api.api
        binds = [f"{self._folder}:/run/inner", f"{_CGROUPS}:{_CGROUPS}:rw"]
        published: dict[int | str, Any] = {port: ("127.0.0.1", port) for port in self._ports}
        host = api.create_host_config(binds=binds, port_bindings=published, **_RIGHTS)
        made = api.create_container(
            IMAGE,
            ["sleep", "infinity"],
            name=self.name,
            ports=list(self._ports),
            volumes=["/var/lib/docker"],
            host_config={**host, **_OPEN_PATHS},
        )
        api.start(made)
        for port in self._ports:
            # What comes in is for loopback: there the inner engine's own proxy listens.
            self._shell(
                f"iptables -t nat -I PREROUTING -i eth0 -p tcp --dport {port}"
                f" -j DNAT --to-destination 127.0.0.1:{port}"
            )

    def _end_what_it_runs(self) -> None:
        """Its control groups are this machine's: nobody else would remove them."""
        if self.running():
            self._signal("KILL")
        groups = f"find {_CGROUPS} -depth -path '*/{self.name}*'"
        # A paused process dies when it goes on, and not before.
        self._shell(f"for f in $({groups} -name freezer.state); do echo THAWED >$f; done")
        # The subshell outlives its failures: what has gone meanwhile is fine, what is left is seen.
        end = (
            f"(kill -s KILL $({groups} -name cgroup.procs -exec cat {{}} +);"
            f" {groups} -type d -exec rmdir {{}} ';') 2>/dev/null; {groups} -type d"
        )
        eventually(lambda: self._shell(end) == "", 20, "its control groups are gone")

    def _dockerd(self) -> tuple[str, ...]:
        return (
            "dockerd",
            "--host=unix:///run/inner/docker.sock",
            f"--group={os.getgid()}",
            f"--pidfile={_PID_FILE}",
            "--storage-driver=overlay2",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            f"--cgroup-parent=/{self.name}",
        )

    def _signal(self, name: str) -> None:
        self._shell(f"kill -s {name} $(cat {_PID_FILE})")

    def _shell(self, script: str) -> str:
        found = self._outer.api.containers.get(self.name).exec_run(["sh", "-c", script])
        assert isinstance(found.output, bytes)
        assert found.exit_code == 0, found.output.decode()
        return found.output.decode()
