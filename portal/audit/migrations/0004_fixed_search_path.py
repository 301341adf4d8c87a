from django.db import migrations

from portal.audit.triggers import install_triggers


class Migration(migrations.Migration):
    """Reinstalls the triggers with a fixed search_path for their PostgreSQL function, so that a session can't change
    it.
    """

    dependencies = [("audit", "0003_append_only")]

    operations = [migrations.RunPython(install_triggers, migrations.RunPython.noop)]
