"""One seed, from the beginning to the quiet at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random  # noqa: TID251 - seeded, so that a seed replays

from controller.model.view import Desired, Wish
from tests.simulation.fate import Fate
from tests.simulation.hub import Hub, Store
from tests.simulation.invariants import Invariants, Violation
from tests.simulation.stacks import random_stack
from tests.simulation.timeline import Timeline
from tests.simulation.world import World

HOURS = 2.4
"""How long a world lasts where nobody says otherwise."""

_QUIET_S = 45 * 60.0
_LOSS = (0.0, 0.0, 0.1, 0.5)


@dataclass(frozen=True)
class Played:
    """How a seed ended: `violation` is '' where every invariant held."""

    seed: int
    hours: float
    counts: Counter[str]
    violation: str


def play(seed: int, hours: float, trace: Callable[[str], None] | None = None) -> Played:
    """Play one seed for so many hours, of which the last 45 minutes are quiet."""
    chance, time = Random(seed), Timeline()
    counts: Counter[str] = Counter()

    def tell(subject: str, what: str) -> None:
        if trace is not None:
            wall = f" (clock {time.offset_s:+.0f} s)" if abs(time.offset_s) > 1 else ""
            trace(f"{_clock(time.now)}  {subject:<8}{what}{wall}")

    stack, natures = random_stack(chance)
    world = World(stack, natures, time, chance, tell)
    watch = Invariants(world, counts, tell)
    store = Store(wishes={name: Wish(Desired.RUNNING) for name in stack.services})
    hub = watch.hub = Hub(world, store, chance, watch, tell)
    hub.loss = chance.choice(_LOSS)
    until_s = max(0.0, hours * 3600 - _QUIET_S)
    try:
        hub.boot()
        Fate(world, hub, chance, until_s, counts, tell)
        time.run(until_s)
        tell("", "quiet from now on")
        hub.doom = ""
        time.run(until_s + _QUIET_S)
        watch.at_end()
    except (Violation, AssertionError) as violation:
        tell("VIOLATED", str(violation))
        return Played(seed, time.now / 3600, counts, str(violation) or repr(violation))
    except BaseException as error:
        error.add_note(f"in the world of seed {seed}")
        raise
    return Played(seed, time.now / 3600, counts, "")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes // 60)}:{int(minutes % 60):02}:{rest:06.3f}"
