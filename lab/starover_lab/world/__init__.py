"""The simulated estate: clock, AD, servers, cluster, DAG, databases, faults, invariants; knows no PowerShell, no wire."""
