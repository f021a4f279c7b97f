"""Commands that speak with a Temporal server: what they share, and what they show. Loaded when one of them runs."""
