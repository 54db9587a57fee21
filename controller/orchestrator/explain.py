"""What the engine refused, as the cause that a person understands."""

from __future__ import annotations

from controller.engine.context import ContextError
from controller.engine.hooks import HookError
from controller.engine.mapping import (
    BadCommandError,
    ImageMissingError,
    NamespaceGoneError,
    PortTakenError,
)
from controller.engine.progress import BuildError
from controller.engine.supplies import PULL_SILENCE_S, PullError, SilentRegistryError
from controller.errors import EngineError
from controller.model.build import Pull
from controller.model.spec import ServiceSpec
from controller.model.text import Text, text


def explain(spec: ServiceSpec | None, error: EngineError) -> Text:
    """Why an operation on the service failed; None is one that the stack no longer declares."""
    if spec is None:
        return text("fail.engine", detail=error.detail)
    image_fault = _image_fault(spec, error)
    if image_fault is not None:
        return image_fault
    if isinstance(error, PortTakenError):
        port = error.port or (spec.container.ports[0].published if spec.container.ports else 0)
        return text("fail.port_taken", port=port or 0)
    if isinstance(error, BadCommandError):
        return text("fail.command", detail=error.detail)
    if isinstance(error, HookError):
        return text("fail.post_start", detail=error.detail)
    if isinstance(error, NamespaceGoneError):
        return text("fail.namespace_gone", detail=error.detail)
    return text("fail.engine", detail=error.detail)


def _image_fault(spec: ServiceSpec, error: EngineError) -> Text | None:
    image = spec.container.image
    if isinstance(error, ImageMissingError):
        never = spec.source.policy.when is Pull.NEVER
        return text("fail.image_never" if never else "fail.image_missing", image=image)
    if isinstance(error, SilentRegistryError):
        return text("fail.pull_silent", image=image, seconds=PULL_SILENCE_S)
    if isinstance(error, PullError):
        return text("fail.pull", image=image, detail=error.detail)
    if isinstance(error, BuildError):
        return text("fail.build", image=image, step=error.step or "–", why=error.detail)
    if isinstance(error, ContextError):
        return text("fail.context", detail=error.detail, remedy=error.remedy or "")
    return None
