"""Faults on the real engine, and how the hub heals them: shared by the benchmark and the tests."""
