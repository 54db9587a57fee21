"""The engine's floor: the same containers created and started in parallel with nothing around it.

Uses the loader and the create call of the hub, so that the containers are the same; no plan, no
store, no probes, no event stream.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from bench.stack import ROOT
from controller.config.load import load
from controller.engine.client import DockerEngine
from controller.model.spec import ServiceSpec

_PROJECT = "heal7floor"


class Floor:
    """Brings the home stack up and down under a project name of its own."""

    def __init__(self) -> None:
        env = {**os.environ, "HEAL7__ORCHESTRATION__PROJECT": _PROJECT}
        self._stack = load(ROOT / "config.yaml", env).stack
        self._engine = DockerEngine()
        self._pool = ThreadPoolExecutor(len(self._stack.services))
        self._made: list[str] = []

    def up(self) -> None:
        """Create and start everything at once; returns when the engine has."""
        for network in self._stack.networks:
            self._engine.ensure_network(network)
        for volume in self._stack.volumes:
            self._engine.ensure_volume(volume)
        self._made = list(self._pool.map(self._one, self._stack.services.values()))

    def down(self) -> None:
        """Remove what `up` made, volumes kept."""
        list(self._pool.map(lambda cid: self._engine.remove(cid, force=True), self._made))
        for network in self._stack.networks:
            self._engine.remove_network(network.name)

    def _one(self, spec: ServiceSpec) -> str:
        made = self._engine.create(replace(spec.container, restart="no"))
        self._engine.start(made)
        return made
