"""`manage.py reset_second_factor NAME`: for an admin who lost theirs and has no other admin to ask."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.accounts.mfa.services import reset_mfa
from portal.accounts.models import Member


class Command(BaseCommand):
    help = "Removes a member's authenticator app, passkeys and recovery codes, and ends their sessions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the user name")

    def handle(self, *_args: Any, name: str, **_options: Any) -> None:
        member = Member.objects.find_by_name(name)
        if member is None:
            raise CommandError(f"Member {name} does not exist.")
        had_some = reset_mfa(member)
        said = "Second factor of {} removed." if had_some else "{} has no second factor."
        self.stdout.write(said.format(member.username))
