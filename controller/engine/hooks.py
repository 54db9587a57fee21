"""Runs the commands that a service wants run in its container after its start and before its stop.

The engine has no way to end such a command, and docker-py waits for it without limit: it runs in a
thread of its own, which is left behind when the time is over.
"""

from __future__ import annotations

import threading

from controller.engine.client import DockerEngine, checked
from controller.engine.mapping import mapped_errors
from controller.errors import EngineError
from controller.model.hook import Hook

_KEPT_CHARS = 4_000


class HookError(EngineError):
    """It ended with another code than 0 (`code`), or had not ended in time (None). `output` is the
    end of what it wrote."""

    def __init__(self, hook: Hook, code: int | None, output: str):
        how = "did not end in time" if code is None else f"ended with code {code}"
        last = (output.strip().splitlines() or [""])[-1]
        super().__init__(
            f"{hook} {how}{': ' if last else ''}{last}",
            remedy="Run it by hand with `docker exec` to see why.",
        )
        self.code = code
        self.output = output


def run_hook(engine: DockerEngine, container_id: str, hook: Hook, limit_s: float) -> None:
    """Run one command to its end. Raises HookError, EngineError."""
    with mapped_errors(f"running {hook} in the container"):
        made = engine.api.exec_create(
            checked(container_id),
            list(hook.command),
            user=hook.user or "",
            privileged=hook.privileged,
            workdir=hook.working_dir,
            environment=[k if v is None else f"{k}={v}" for k, v in hook.environment],
        )
    said: list[bytes] = []
    failed: list[EngineError] = []

    def read() -> None:
        try:
            with mapped_errors(f"running {hook} in the container"):
                for part in engine.api.exec_start(made["Id"], stream=True):
                    said.append(part)
                    del said[:-_KEPT_CHARS]
        except EngineError as error:
            failed.append(error)

    reader = threading.Thread(target=read, name=f"hook {hook.command[0]}", daemon=True)
    reader.start()
    reader.join(limit_s)
    if failed:
        raise failed[0]
    output = b"".join(said).decode(errors="replace")[-_KEPT_CHARS:]
    if reader.is_alive():
        raise HookError(hook, None, output)
    with mapped_errors(f"asking how {hook} ended"):
        code = int(engine.api.exec_inspect(made["Id"])["ExitCode"])
    if code:
        raise HookError(hook, code, output)
