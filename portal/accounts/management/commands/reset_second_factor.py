"""`manage.py reset_second_factor NAME`: for an admin who lost theirs and has no other admin to ask."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.accounts.mfa.services import reset_mfa
from portal.accounts.models import Member


class Command(BaseCommand):
    help = "Removes a member's authenticator app, passkeys and recovery codes, and ends her sessions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the user name")

    def handle(self, *_args: Any, name: str, **_options: Any) -> None:
        member = Member.objects.find_by_name(name)
        if member is None:
            raise CommandError(f"There is no member {name}.")
        had_some = reset_mfa(member)
        self.stdout.write(f"{member.username} {'has no second factor any more' if had_some else 'had none'}.")
