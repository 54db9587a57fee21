"""Says whether what the other services do is normal, by what was normal for each of them before."""
