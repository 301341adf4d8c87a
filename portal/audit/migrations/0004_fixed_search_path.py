from django.db import migrations

from portal.audit.triggers import install_triggers


class Migration(migrations.Migration):
    """The triggers anew: their function on PostgreSQL looks nothing up in a path that a session could set."""

    dependencies = [("audit", "0003_append_only")]

    operations = [migrations.RunPython(install_triggers, migrations.RunPython.noop)]
