"""Tells people of what is wrong, once for each cause, over channels that may be dead themselves."""
