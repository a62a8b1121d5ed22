"""One file a family of commands: frozen dataclasses of arguments, whose `main` prints and returns
an exit code. Rooms are imported inside, so that a command loads only what it needs.
"""
