"""`manage.py run_commands < LIST.json`: runs several commands in one process, which starts only once."""

import io
import json
import sys
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = (
        "Runs several commands. Reads a JSON list from standard input, with the words of each command and what it reads"
        ' from standard input itself, such as [[["migrate"], ""]].'
    )
    # Each command has its own.
    requires_system_checks = ()

    def handle(self, **_options: Any) -> None:
        outer = sys.stdin
        for words, text in json.load(outer):
            sys.stdin = io.StringIO(text)
            try:
                call_command(*words)
            except CommandError as error:
                raise CommandError(f"manage.py {words[0]} failed: {error}") from error
            finally:
                sys.stdin = outer
