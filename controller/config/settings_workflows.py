"""The keys of config.yaml under `workflows`: what people may write of a workflow.

What they leave unsaid gets its default where the definition is made, in `workflows`; what needs
more than one key to be judged is judged there too.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    WrapValidator,
    model_validator,
)

from controller.config.settings_base import Count, FewTimes, Seconds, Strict, not_boolean
from controller.model.workflow import OnLimit


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


Method = Annotated[
    Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], BeforeValidator(_upper)
]


class RetrySettings(Strict):
    """How often one step is asked before it has failed."""

    attempts: FewTimes | None = Field(
        None, description="How often it is asked in all, 1 to 100. Default 3."
    )
    backoff: Seconds | None = Field(
        None,
        description="Pause before the second attempt, which doubles with each further one. "
        "Default 500ms.",
    )
    max_backoff: Seconds | None = Field(
        None, description="The longest pause between two attempts. Default 10s."
    )


class CompensateSettings(Strict):
    """The call that undoes a step. AUTO and NONE stand for the two words."""

    action: str | None = Field(
        None, description="The action that undoes it: POST /actions/<action>.", min_length=1
    )
    method: Method | None = Field(None, description="HTTP method of `path`. Default POST.")
    path: str | None = Field(
        None, description="HTTP path that undoes it, for a service without actions."
    )
    input: Any = Field(
        None,
        description="The request's body; ${{ }} holds expressions. Default: for an action, the "
        "step's idempotency key and a reason; for a path, none.",
    )


AUTO, NONE = CompensateSettings(), CompensateSettings()


def _compensate(
    value: Any, handler: ModelWrapValidatorHandler[CompensateSettings | None]
) -> CompensateSettings | None:
    if not isinstance(value, str):
        return handler(value)
    if value not in ("auto", "none"):
        raise ValueError("auto, none, or a mapping with action or path is asked for")
    return AUTO if value == "auto" else NONE


class StepSettings(Strict):
    """One step of a workflow: an action of a service, or any HTTP call to it."""

    service: str = Field(description="The service that does the step.", min_length=1)
    action: str | None = Field(
        None, description="The action to ask for: POST /actions/<action>.", min_length=1
    )
    id: str | None = Field(
        None,
        description="The step's name, of A-Z a-z 0-9 _ and -, at most 64. "
        "Default: the service's name, numbered if repeated.",
    )
    method: Method | None = Field(
        None,
        description="HTTP method of `path`. Default: POST where `input` is given, else GET.",
    )
    path: str | None = Field(
        None,
        description="HTTP path, for a service without actions; ${{ }} holds expressions.",
    )
    input: Any = Field(
        None,
        description="The request's body; ${{ }} holds expressions. "
        "Default: the run's input, and none for GET, HEAD and DELETE.",
    )
    needs: list[str] | None = Field(
        None,
        description="Ids of the steps that must be over before. Default: the step above; where "
        "any step of the workflow has `needs`, none.",
    )
    when: Any = Field(None, description="A condition in ${{ }}; where it fails, it is skipped.")
    timeout: Seconds | None = Field(None, description="Time one attempt may take. Default 30s.")
    retry: RetrySettings | None = Field(
        None, description="How often it is asked before it has failed."
    )
    compensate: Annotated[
        CompensateSettings | None,
        WrapValidator(
            _compensate, json_schema_input_type=CompensateSettings | Literal["auto", "none"] | None
        ),
    ] = Field(
        None,
        description="How the step is undone: auto (POST /actions/<action>/compensate), none, or a "
        "call. Default: auto for an action, none for a path.",
    )
    start: bool | None = Field(
        None,
        description="Whether it starts its service if a person has stopped it. Default false: "
        "then the step fails.",
    )


class ConcurrencySettings(Strict):
    """How many runs of a workflow may be under way at once."""

    limit: Count = Field(description="Runs under way at once, at most; 1 to 1000.")
    on_limit: OnLimit | None = Field(
        None,
        description="What becomes of one run too many: queue (it waits), reject, or cancel_oldest "
        "(it takes the place of the oldest). Default queue.",
    )


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("a time zone is asked for, such as Asia/Seoul or UTC") from error
    return value


def check_database(value: str) -> str:
    """The address of a PostgreSQL database. Raises ValueError, which does not repeat it."""
    if not value.startswith(("postgresql://", "postgres://")):
        raise ValueError("an address such as postgresql://user@host/name is asked for")
    return value


class RunsSettings(Strict):
    """What becomes of runs that have ended, and when schedules are meant."""

    keep: Annotated[int, BeforeValidator(not_boolean), Field(ge=1, le=1_000_000)] = Field(
        10_000, description="How many runs are kept; the oldest that have ended go first."
    )
    keep_days: Annotated[int, BeforeValidator(not_boolean), Field(ge=1, le=3650)] = Field(
        30, description="How many days a run is kept."
    )
    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        "UTC", description="The zone that schedules are meant in, such as Asia/Seoul."
    )
    database: Annotated[str, AfterValidator(check_database)] | None = Field(
        None,
        description="postgresql://… where several hubs share their runs. "
        "Default: a SQLite file beside the hub's state.",
    )
    database_file: str | None = Field(
        None,
        description="A file that holds the address instead, since that has a password in it; "
        "relative to config.yaml.",
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> RunsSettings:
        if self.database is not None and self.database_file is not None:
            raise ValueError("both database and database_file are given; keep one of them")
        return self


class DescriptionSettings(Strict):
    """What a workflow is for, by language."""

    ko: str | None = Field(None, description="In Korean. Default: the English text.")
    en: str | None = Field(None, description="In English. Default: the Korean text.")


def _both(value: Any) -> Any:
    return {"ko": value, "en": value} if isinstance(value, str) else value


class WorkflowSettings(Strict):
    """A sequence or graph of steps that is undone when it cannot be finished."""

    steps: list[StepSettings] = Field(
        description="The steps, one after another unless `needs` says otherwise; at most 1,000.",
        min_length=1,
    )
    description: Annotated[
        DescriptionSettings | None,
        BeforeValidator(_both, json_schema_input_type=str | DescriptionSettings | None),
    ] = Field(None, description="What it is for; one text, or one for each language (ko, en).")
    timeout: Seconds | None = Field(
        None, description="Time a whole run may take before it is undone. Default 1h."
    )
    input_schema: dict[str, Any] | None = Field(
        None,
        description="JSON Schema (draft 2020-12) that a run's input must fit. Default: any input.",
    )
    output: Any = Field(
        None, description="The run's result; ${{ }} holds expressions. Default: nothing."
    )
    schedule: str | None = Field(
        None, description='When to run by itself, as a cron line such as "0 3 * * *".'
    )
    concurrency: ConcurrencySettings | None = Field(
        None, description="How many runs may be under way at once. Default: any number."
    )
