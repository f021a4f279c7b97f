"""The step library: queries, step kinds, guards and fragments by subject; the engine never imports it."""
