"""starover: runbooks for Microsoft Exchange Database Availability Groups."""
