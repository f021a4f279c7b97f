"""The command line of starover."""
