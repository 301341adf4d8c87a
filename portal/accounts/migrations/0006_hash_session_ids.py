"""Replaces session ids in the database with their digests. Existing sessions stay valid."""

import hashlib
from typing import Any

from django.db import migrations, models

LENGTH_OF_AN_ID = 32


def hash_ids(apps: Any, _editor: Any) -> None:
    rows = apps.get_model("accounts", "MemberSession").objects
    for key in list(rows.values_list("session_key", flat=True)):
        if len(key) == LENGTH_OF_AN_ID:
            rows.filter(session_key=key).update(session_key=hashlib.sha256(key.encode()).hexdigest())


def end_all(apps: Any, _editor: Any) -> None:
    """The ids can't be restored from their digests."""
    apps.get_model("accounts", "MemberSession").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_counts"),
    ]

    operations = [
        migrations.AlterField(
            model_name="membersession",
            name="session_key",
            field=models.CharField(max_length=64, primary_key=True, serialize=False),
        ),
        migrations.RunPython(hash_ids, end_all),
    ]
