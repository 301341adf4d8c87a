from typing import Any

from django.db import migrations, models


def follow_the_browser(apps: Any, _schema_editor: Any) -> None:
    """UTC was what members had who had chosen nothing; the few who chose it choose it again."""
    apps.get_model("accounts", "Member").objects.filter(time_zone="UTC").update(time_zone="")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_first_page"),
    ]

    operations = [
        migrations.AlterField(
            model_name="member",
            name="time_zone",
            field=models.CharField(blank=True, default="", max_length=64, verbose_name="time zone"),
        ),
        migrations.RunPython(follow_the_browser, migrations.RunPython.noop),
    ]
