"""The machine's own figures, for reports and as series. psutil is imported at first use."""

from __future__ import annotations

from ai_monitoring.measures import Value
from ai_monitoring.models import HostFigures


def host_figures() -> HostFigures:
    """Load and memory as this container sees them, which is the host's unless it is limited."""
    import psutil  # type: ignore[import-untyped]

    return HostFigures(
        cpus=psutil.cpu_count() or 1,
        load_1m=round(psutil.getloadavg()[0], 2),
        memory_used_percent=psutil.virtual_memory().percent,
        disk_used_percent=psutil.disk_usage("/").percent,
    )


def host_values() -> list[Value]:
    """The same, as values of series; the load a core, so that machines compare."""
    figures = host_figures()
    return [
        Value("", "load_per_cpu", figures.load_1m / figures.cpus),
        Value("", "memory_used_percent", figures.memory_used_percent),
        Value("", "disk_used_percent", figures.disk_used_percent),
    ]
