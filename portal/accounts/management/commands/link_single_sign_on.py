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
        "Lets whoever is SUBJECT (the claim `sub`) at the OpenID provider sign in as that member. Her password is"
        " removed, unless she is an admin. Her role follows her groups from the next sign-in on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the user name")
        parser.add_argument("subject", help="what the provider calls her in the claim `sub`")

    def handle(self, *_args: Any, name: str, subject: str, **_options: Any) -> None:
        if not settings.OIDC_ISSUER:
            raise CommandError("There is no OpenID provider: OIDC_ISSUER is not set.")
        member = Member.objects.find_by_name(name)
        if member is None:
            raise CommandError(f"There is no member {name}.")
        try:
            link(member, subject)
        except IntegrityError:
            raise CommandError("This subject belongs to a member already.") from None
        self.stdout.write(f"{member.username} signs in through {settings.OIDC_NAME} from now on.")
