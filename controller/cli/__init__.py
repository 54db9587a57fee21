"""The `heal7` command: a thin client of the HTTP API, plus what must work with no hub at all.

Client commands import neither Docker nor the web framework, so that `heal7 ps` answers at once;
everything heavy is imported inside the command that needs it.
"""
