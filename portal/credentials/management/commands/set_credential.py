"""`manage.py set_credential NAME|--team --region spo1 --kind bearer|api-key`: reads the secret from standard input."""

import sys
from getpass import getpass
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from portal.accounts.models import Member
from portal.core.crypto import CryptoError
from portal.credentials import services as credential_services
from portal.credentials.forms import CredentialForm
from portal.credentials.models import Kind


class Command(BaseCommand):
    help = (
        "Verifies and saves a member's or the team's ByCloud credential."
        " Reads the token, or id:secret for an API key, from standard input."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?", default="", help="the member's user name")
        parser.add_argument("--team", action="store_true", help="for members without their own credential")
        parser.add_argument("--region", required=True, help="a region code from BYCLOUD_REGIONS, such as spo1")
        parser.add_argument("--kind", required=True, choices=Kind.values)
        parser.add_argument("--expires", default="", metavar="DAY", help="the last day it is valid, such as 2027-01-31")

    @sensitive_variables()
    def handle(self, *, name: str, team: bool, region: str, kind: str, expires: str, **_options: Any) -> None:
        if team == bool(name):
            raise CommandError(_("Specify a member or --team."))
        member = Member.objects.filter(username=name).first()
        if member is None and not team:
            raise CommandError(_("Member %(name)s does not exist.") % {"name": name})
        place = settings.BYCLOUD_REGIONS.get(region)
        if place is None:
            known = ", ".join(settings.BYCLOUD_REGIONS)
            raise CommandError(
                _("Unknown region %(region)s. BYCLOUD_REGIONS has %(known)s.") % {"region": region, "known": known}
            )
        form = CredentialForm({"kind": kind, "expires_on": expires, **_read_secret(kind)})
        is_password = form.is_valid() and member is not None and form.refuse_password_of(member)
        if is_password or form.credential is None:
            raise CommandError(" ".join(str(sentence) for errors in form.errors.values() for sentence in errors))
        try:
            saved = credential_services.take_credential(
                form.credential, member=member, region=place, expires_on=form.cleaned_data["expires_on"]
            )
        except (CryptoError, credential_services.NotSavedError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(saved.sentence)


@sensitive_variables()
def _read_secret(kind: str) -> dict[str, str]:
    prompt = _("Token: ") if kind == Kind.BEARER else _("Access key ID and secret, as id:secret: ")
    text = (getpass(prompt) if sys.stdin.isatty() else sys.stdin.read()).strip()
    if not text:
        raise CommandError(_("Standard input contains no credential."))
    if kind == Kind.BEARER:
        return {"token": text}
    key_id, colon, secret = text.partition(":")
    if not colon:
        raise CommandError(_("Enter an API key pair as id:secret."))
    return {"access_key_id": key_id, "secret_access_key": secret}
