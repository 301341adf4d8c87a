"""`python -m tests.benchmarks [name ...]`: runs the benchmarks one after the other, with the test settings.

Without a name, all but two: `fleet` first reads 110,000 instances, which takes longer than the others together, and
`faults` writes a table of docs/reliability.md, and has its own test.
"""

import logging
import os
import sys
from importlib import import_module

import django

USUAL = ("simulation", "stores", "flights", "waiting", "views")
NAMES = (*USUAL, "fleet", "faults")


def main() -> None:
    names = sys.argv[1:] or USUAL
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        sys.exit(f"No benchmark is called {unknown[0]}; there are {', '.join(NAMES)}.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    logging.disable(logging.WARNING)
    for name in names:
        import_module(f"tests.benchmarks.{name}").main()


if __name__ == "__main__":
    main()
