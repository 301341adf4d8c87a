"""`manage.py add_member NAME --role ROLE [--email E]`: adds a member. Reads the password from standard input."""

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from portal.accounts.models import Member
from portal.audit.models import Action
from portal.audit.services import record_event
from portal.core.permissions import Role


class Command(BaseCommand):
    help = "Adds a member. Reads the password from standard input, or prompts for it in a terminal."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the user name")
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--email", default="", help="an e-mail address, which can also be used to sign in")

    def handle(self, *_args: Any, name: str, role: str, email: str, **_options: Any) -> None:
        member = Member(username=name, email=email.lower(), role=role)
        if Member.objects.find_by_name(name):
            raise CommandError(f"Member {name} already exists.")
        try:
            # The password is not set yet; it is validated below.
            member.full_clean(exclude=["password"])
        except ValidationError as error:
            raise CommandError(_join(error)) from None
        password = _read_password()
        try:
            validate_password(password, member)
        except ValidationError as error:
            raise CommandError(_join(error)) from None
        member.set_password(password)
        with transaction.atomic():
            member.save(force_insert=True)
            record_event(Action.MEMBER_ADDED, subject=f"{member.username} ({member.role})")
        self.stdout.write(f"Added {member.username} as {member.role}.")


def _read_password() -> str:
    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CommandError("No password on standard input.")
    return password


def _join(error: ValidationError) -> str:
    """Return all errors in one line, with the field name where the message does not mention it."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return " ".join(
        message if field in {"__all__", "username"} else f"{field}: {message}"
        for field, messages in error.message_dict.items()
        for message in messages
    )
