"""`python -m ai_monitoring`: serve until SIGTERM."""

from __future__ import annotations

from heal7_contract.launch import launch

if __name__ == "__main__":
    launch("ai_monitoring.app")
