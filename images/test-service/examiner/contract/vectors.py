"""Where known answers are; apart from what asks for them, which the idle service need not load.

Source of the vectors: the verified set of saju-service's own tests, generated 2026-11-22; the file
names its sources (pyerfa, lunar_python, sxtwl, KASI records, IANA tzdata and others).
"""

from __future__ import annotations

from pathlib import Path

VECTORS = {"saju-service": Path(__file__).parents[1] / "data" / "saju_vectors.json"}
