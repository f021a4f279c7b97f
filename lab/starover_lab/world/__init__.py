"""The simulated estate: clock, AD, servers, cluster, DAG, databases, faults, invariants; no PowerShell, no wire."""
