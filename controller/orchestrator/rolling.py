"""Which containers of one service end one after the other, so that some always serve; pure."""

from __future__ import annotations

from collections.abc import Collection

from controller.model.graph import one_shots, with_dependencies
from controller.model.spec import StackSpec


def rolling(stack: StackSpec, ending: Collection[str], coming: Collection[str]) -> frozenset[str]:
    """Of those that are `ending`, the ones that wait for others of their service that are `coming`.

    Where something that they need ends too, they have to be down before it: there all end at once.
    """
    found: set[str] = set()
    for service in stack.replicas:
        members = {name for name in stack.members(service) if name in coming}
        needed = {*with_dependencies(stack, members)} - members
        if len(members) > 1 and not needed & {*ending} and not members & one_shots(stack):
            found |= members & {*ending}
    return frozenset(found)
