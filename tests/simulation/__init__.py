"""A world for the hub's healing to be proved in: virtual time, a seeded engine, faults and people.

The world stands; the hub that lives in it, the invariants and the runner come next.
"""
