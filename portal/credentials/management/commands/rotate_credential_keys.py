"""`manage.py rotate_credential_keys`: re-encrypts credentials and second factors with the first of CREDENTIAL_KEYS."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.accounts.mfa.encryption import NAMES, name_purpose
from portal.core.crypto import CryptoError, NoKeyError, reencrypt_text
from portal.credentials import vault
from portal.credentials.models import Credential

BATCH_SIZE = 200


class Command(BaseCommand):
    help = (
        "Re-encrypts all credentials, TOTP secrets and recovery codes with the first key of CREDENTIAL_KEYS."
        " Can be run again at any time."
    )

    def handle(self, **_options: Any) -> None:
        total = Credential.objects.count()
        seen = renewed_count = last = 0
        lost: list[str] = []
        while True:
            # Locked, so that a credential replaced in the meantime is not overwritten.
            with transaction.atomic():
                rows = list(
                    Credential.objects.select_for_update(of=("self",))
                    .select_related("member")
                    .filter(pk__gt=last)
                    .order_by("pk")[:BATCH_SIZE]
                )
                for row in rows:
                    encrypted = bytes(row.encrypted)
                    try:
                        renewed = vault.reencrypt(encrypted, member_id=row.member_id, region=row.region)
                    except NoKeyError as error:
                        raise CommandError(str(error)) from None
                    except CryptoError:
                        owner = row.member.get_username() if row.member else _("the team")
                        lost.append(f"{owner}, {row.region}")
                        continue
                    if renewed != encrypted:
                        row.encrypted = renewed
                        row.save(update_fields=["encrypted"])
                        renewed_count += 1
            if not rows:
                break
            last = rows[-1].pk
            seen += len(rows)
            self.stdout.write(_("%(seen)s of %(total)s processed") % {"seen": seen, "total": total})
        self.stdout.write(
            _("Done. Re-encrypted: %(renewed)s. Already encrypted with the first key: %(already)s.")
            % {"renewed": renewed_count, "already": seen - renewed_count - len(lost)}
        )
        lost_factors = _reencrypt_factors()
        for owner in lost + lost_factors:
            self.stdout.write(_("Can't be decrypted with any key: %(owner)s") % {"owner": owner})
        if lost_factors:
            text = _("Some second factors can't be decrypted; reset them for these members (reset_second_factor).")
            raise CommandError(text)
        if lost:
            raise CommandError(
                ngettext(
                    "%(count)s credential can't be decrypted; its owner has to enter it again.",
                    "%(count)s credentials can't be decrypted; their owners have to enter them again.",
                    len(lost),
                )
                % {"count": len(lost)}
            )


def _reencrypt_factors() -> list[str]:
    """Re-encrypt TOTP secrets and recovery code seeds. Returns those that can't be decrypted."""
    lost: list[str] = []
    rows = Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN).select_related("user").order_by("pk")
    with transaction.atomic():
        # All in one locked transaction: there are only a few, and a code used in the meantime must stay used.
        for row in rows.select_for_update(of=("self",)):
            name, purpose = NAMES[row.type], name_purpose(row.user_id, row.type)
            try:
                row.data[name] = reencrypt_text(row.data[name], purpose=purpose)
            except CryptoError:
                lost.append(f"{row.user.get_username()}, {row.get_type_display()}")
                continue
            row.save(update_fields=["data"])
    return lost
