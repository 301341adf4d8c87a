"""Encrypts the secrets of second factors again, bound to their member and method."""

from typing import Any

from django.apps.registry import Apps
from django.db import migrations

from portal.core.crypto import CryptoError, decrypt_text, encrypt_text

BEFORE = "second factor"
NAMES = {"totp": "secret", "recovery_codes": "seed"}


def bind(apps: Apps, _schema_editor: Any) -> None:
    _seal_anew(apps, is_forwards=True)


def unbind(apps: Apps, _schema_editor: Any) -> None:
    _seal_anew(apps, is_forwards=False)


def _seal_anew(apps: Apps, *, is_forwards: bool) -> None:
    """Secrets that can't be decrypted, or are already bound, stay unchanged."""
    rows = apps.get_model("mfa", "Authenticator").objects.filter(type__in=list(NAMES)).order_by("pk")
    for row in rows.select_for_update():
        name, bound = NAMES[row.type], f"{row.type} of {row.user_id}"
        old, new = (BEFORE, bound) if is_forwards else (bound, BEFORE)
        try:
            text = decrypt_text(row.data[name], purpose=old)
        except CryptoError:
            continue
        row.data[name] = encrypt_text(text, purpose=new)
        row.save(update_fields=["data"])


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_member_sessions"), ("mfa", "0003_authenticator_type_uniq")]
    operations = [migrations.RunPython(bind, unbind)]
