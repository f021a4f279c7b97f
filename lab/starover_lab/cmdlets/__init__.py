"""What a session can do: PowerShell commands in, world out; knows no wire."""
