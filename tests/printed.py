"""A check of everything that templates print in tests; for each text of a page, it would be a fifth of its cost."""

from functools import partial
from inspect import isroutine


def refuse_function(value: object) -> object:
    """What a template prints, unchanged. Raises TypeError for a function: it was not called."""
    if not isinstance(value, str) and (isinstance(value, partial) or isroutine(value)):
        raise TypeError(f"a template prints {value!r} without calling it")
    return value
