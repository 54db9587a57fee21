"""Which images must be pulled or built before containers are made of them, and why; pure.

As Compose has it: an image that is here is taken as it is unless `pull_policy` says otherwise, one
that is missing is pulled where it has a name, and built where it cannot be pulled. What nobody
asked for by hand (healing, coming back) takes what is here whatever the policy says: a registry
that is down must not keep a service down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.model.build import Pull, PullPolicy
from controller.model.observation import Observation
from controller.model.spec import ServiceSpec, StackSpec
from controller.model.text import Text, text
from controller.model.view import OperationKind
from controller.orchestrator.plan import Op, Plan, PlannedOp

MISSING = "cause.image_missing"
_LATEST = ":latest"


@dataclass(frozen=True, slots=True)
class Supply:
    """What is to be done for one image, in this order; each with its cause. `lenient`: the pull
    may fail, for the image is here already or is built then."""

    image: str
    pull: Text | None = None
    build: Text | None = None
    lenient: bool = False


def supplies(
    stack: StackSpec,
    seen: Observation,
    pulls: Mapping[str, datetime],
    now: datetime,
    *,
    by_hand: bool,
) -> dict[str, Supply]:
    """What each service needs done before a container is made of it; those that need nothing are
    left out. `pulls` is when the hub last pulled which image."""
    found = {}
    for name, spec in stack.services.items():
        image = spec.container.image
        here = image in seen.images
        supply = _supply(stack, spec, here, pulls.get(image), now, by_hand=by_hand)
        if supply is not None:
            found[name] = supply
    return found


def builder_of(stack: StackSpec, spec: ServiceSpec) -> ServiceSpec | None:
    """The service whose `build` makes the image: its own, else another's of the same name."""
    if spec.source.build is not None:
        return spec
    wanted = spec.container.image.removesuffix(_LATEST)
    return next(
        (
            other
            for other in stack.services.values()
            if other.source.build and other.container.image.removesuffix(_LATEST) == wanted
        ),
        None,
    )


def only_images(stack: StackSpec, kind: OperationKind, targets: Iterable[str]) -> Plan:
    """The plan of a person's request to build or to pull, whatever is here."""
    ops: list[PlannedOp] = []
    settled = {}
    cause = text(f"cause.{kind}")
    for name in targets:
        spec = stack.services[name]
        if spec.number != 1:
            continue  # All containers of a service are made of one image.
        built = spec.source.build is not None
        op = Op.BUILD if kind is OperationKind.BUILD else Op.PULL
        if (op is Op.BUILD) is built:
            ops.append(PlannedOp(len(ops) + 1, op, name, cause, spec.container.image))
        else:
            settled[name] = "not_built" if op is Op.BUILD else "not_pulled"
    return Plan(tuple(ops), settled, dict.fromkeys(targets, cause))


def _supply(
    stack: StackSpec,
    spec: ServiceSpec,
    here: bool,
    pulled_at: datetime | None,
    now: datetime,
    *,
    by_hand: bool,
) -> Supply | None:
    image, policy = spec.container.image, spec.source.policy
    buildable = builder_of(stack, spec) is not None
    missing = None if here else text(MISSING, image=image)
    pull = missing or (_due(policy, pulled_at, now) if by_hand else None)
    if not spec.source.named or policy.when in (Pull.NEVER, Pull.BUILD):
        pull = None
    build = missing
    if policy.when is Pull.BUILD and by_hand:
        build = missing or text("cause.image_policy", policy=policy.when)
    build = build if buildable else None
    if pull is None and build is None:
        return None
    return Supply(image, pull, build, lenient=buildable)


def _due(policy: PullPolicy, pulled_at: datetime | None, now: datetime) -> Text | None:
    if policy.when is Pull.ALWAYS:
        return text("cause.image_policy", policy=policy.when)
    fresh = pulled_at is not None and now - pulled_at < timedelta(seconds=policy.every_s)
    if policy.when is Pull.REFRESH and not fresh:
        return text("cause.image_old")
    return None
