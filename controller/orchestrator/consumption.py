"""What running containers use, from one look at the kernel's figures to the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from controller.engine.usage import Cables, Usage, read_usages
from controller.model.observation import ContainerObs, State


@dataclass(frozen=True, slots=True)
class Measured:
    """What a life of a container has used up to `at` (monotonic seconds)."""

    incarnation: str
    at: float
    usage: Usage
    cpu_percent: float | None
    """Of one core, since the sample before; None where there was none."""


class Consumption:
    """The newest sample of every container that runs."""

    def __init__(self) -> None:
        self._samples: dict[str, Measured] = {}
        self._cables = Cables()

    def sample(self, running: Iterable[ContainerObs], now: float) -> None:
        """Reads a few small files for each."""
        lives = {container.id: container for container in running}
        addresses = {key: found.hardware_addresses for key, found in lives.items()}
        usages = self._cables.read_traffic(read_usages(lives), addresses)
        self._samples = {key: self._next(lives[key], usage, now) for key, usage in usages.items()}

    def of(self, container: ContainerObs | None) -> Measured | None:
        """None where it does not run or was not read."""
        if container is None or container.state is not State.RUNNING:
            return None
        found = self._samples.get(container.id)
        return found if found and found.incarnation == container.incarnation else None

    def _next(self, container: ContainerObs, usage: Usage, now: float) -> Measured:
        before = self._samples.get(container.id)
        percent = None
        if before is not None and now > before.at and usage.cpu_ns >= before.usage.cpu_ns:
            used_s = (usage.cpu_ns - before.usage.cpu_ns) / 1e9
            percent = round(100 * used_s / (now - before.at), 1)
        return Measured(container.incarnation, now, usage, percent)
