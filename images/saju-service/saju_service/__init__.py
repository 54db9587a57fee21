"""saju-service: the four pillars (사주팔자) of a moment, to the minute and with its reasons."""

from __future__ import annotations

__version__ = "0.1.0"
