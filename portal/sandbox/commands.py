"""Runs several of the portal's commands in one process, which starts only once.

    python -m portal.sandbox.commands < list.json

The list holds the words of each command and what it reads from standard input: `[[["migrate"], ""], ...]`.
"""

import io
import json
import os
import sys

import django
from django.core.management import CommandError, call_command

if __name__ == "__main__":
    os.umask(0o077)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    for words, secret in json.load(sys.stdin):
        sys.stdin = io.StringIO(secret)
        try:
            call_command(*words)
        except CommandError as error:
            sys.exit(f"manage.py {words[0]} failed: {error}")
