"""One module per command or group of commands: parse, call, show."""
