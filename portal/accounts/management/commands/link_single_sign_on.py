"""`manage.py link_single_sign_on NAME SUBJECT`: lets an existing member sign in with the OpenID provider."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError

from portal.accounts.models import Member
from portal.accounts.sso.services import link


class Command(BaseCommand):
    help = (
        "Lets SUBJECT (the claim `sub`) at the OpenID provider sign in as a member. Removes the member's password,"
        " unless they are an admin. From the next sign-in on, their groups determine their role."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the user name")
        parser.add_argument("subject", help="the member's claim `sub` at the provider")

    def handle(self, *_args: Any, name: str, subject: str, **_options: Any) -> None:
        if not settings.OIDC_ISSUER:
            raise CommandError("No OpenID provider is configured: OIDC_ISSUER is not set.")
        member = Member.objects.find_by_name(name)
        if member is None:
            raise CommandError(f"Member {name} does not exist.")
        try:
            link(member, subject)
        except IntegrityError:
            raise CommandError("This subject already belongs to a member.") from None
        self.stdout.write(f"{member.username} can now sign in with {settings.OIDC_NAME}.")
