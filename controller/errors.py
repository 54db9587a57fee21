"""Every way the hub can refuse or fail, each with a status, a title and a remedy.

Modules raise these and nothing else across their borders; the API turns them into problem+json and
the command line into one sentence. An error without a remedy is a bug report, so `remedy` is not
optional where a person can do something.
"""

from __future__ import annotations


class HubError(Exception):
    """Base of all errors the hub raises on purpose. `detail` is one sentence for a person."""

    status = 500
    type = "about:blank"
    title = "The hub failed"

    def __init__(self, detail: str, *, remedy: str | None = None, service: str | None = None):
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy
        self.service = service


class ConfigError(HubError):
    """A file people wrote is wrong. `faults` lists every fault found, each `file:line: text`."""

    status = 422
    type = "urn:heal7:problem:config"
    title = "The configuration is not valid"

    def __init__(self, faults: list[str], *, remedy: str | None = None):
        super().__init__("; ".join(faults), remedy=remedy)
        self.faults = faults


class UnknownServiceError(HubError):
    status = 404
    type = "urn:heal7:problem:unknown-service"
    title = "No such service"


class NotFoundError(HubError):
    status = 404
    type = "urn:heal7:problem:not-found"
    title = "Not found"


class ConflictError(HubError):
    status = 409
    type = "urn:heal7:problem:conflict"
    title = "Another operation is under way"


class RunInputError(HubError):
    """The input of a run is not what its workflow asks for; `faults` lists what is wrong."""

    status = 422
    type = "urn:heal7:problem:run-input"
    title = "The input is not valid"

    def __init__(self, faults: list[str], *, remedy: str | None = None):
        super().__init__("; ".join(faults), remedy=remedy)
        self.faults = faults


class QuestionError(HubError):
    """What is asked for is not said in a form the hub knows."""

    status = 422
    type = "urn:heal7:problem:question"
    title = "The question is not valid"


class OverloadedError(HubError):
    status = 503
    type = "urn:heal7:problem:overloaded"
    title = "The hub has enough to do"


class ListenError(HubError):
    """The hub's own address is taken or not there."""

    type = "urn:heal7:problem:listen"
    title = "The hub cannot listen"


class SetupError(HubError):
    """`heal7 up` cannot go on; the remedy says what a person must do."""

    type = "urn:heal7:problem:setup"
    title = "Set-up stopped"


class StoreError(HubError):
    status = 503
    type = "urn:heal7:problem:store"
    title = "The hub cannot write its state"


class StoreFullError(StoreError):
    """There is no room to write; what was acknowledged is kept."""

    status = 507
    type = "urn:heal7:problem:store-full"
    title = "The disk is full"


class EngineError(HubError):
    """Something the Docker Engine answered, sorted by what the caller can do about it."""

    status = 409
    type = "urn:heal7:problem:engine"
    title = "The engine refused"


class EngineUnreachableError(EngineError):
    """Temporary: the engine did not answer (down, restarting or hung). The outcome is unknown."""

    status = 503
    type = "urn:heal7:problem:engine-unreachable"
    title = "The engine cannot be reached"


class EngineNotFoundError(EngineError):
    """The container, image or network named does not exist."""

    type = "urn:heal7:problem:engine-not-found"
    title = "The engine does not have it"


class EngineConflictError(EngineError):
    """A name clash, or a removal in progress: look again and decide anew."""

    type = "urn:heal7:problem:engine-conflict"
    title = "The engine is busy with it"
