"""Hubs killed over and over while they carry out runs, and what must be true afterwards."""
