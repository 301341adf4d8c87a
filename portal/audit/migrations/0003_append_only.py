from django.db import migrations, models

import portal.audit.models
from portal.audit.triggers import drop_triggers, install_triggers


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_views_and_exports")]

    operations = [
        migrations.AlterField(
            model_name="event",
            name="act",
            field=models.CharField(choices=portal.audit.models.list_actions, max_length=32),
        ),
        migrations.RunPython(install_triggers, drop_triggers),
    ]
