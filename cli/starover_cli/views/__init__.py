"""Views: functions from data to text. Nothing here reads a file, a clock, a terminal or a host."""
