"""`HOOKS` is the address of the test hooks in a portal (`hooks.py`)."""

HOOKS = "/test-hooks/"
