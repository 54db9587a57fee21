"""`python -m saju_service`."""

from __future__ import annotations

from saju_service.service import service

if __name__ == "__main__":
    service.run()
