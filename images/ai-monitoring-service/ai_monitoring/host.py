"""The machine's own figures, read when a report is made. psutil is imported at first use."""

from __future__ import annotations

from ai_monitoring.models import HostFigures


def host_figures() -> HostFigures:
    """Load and memory as this container sees them, which is the host's unless it is limited."""
    import psutil  # type: ignore[import-untyped]

    return HostFigures(
        cpus=psutil.cpu_count() or 1,
        load_1m=round(psutil.getloadavg()[0], 2),
        memory_used_percent=psutil.virtual_memory().percent,
    )
