from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("credentials", "0003_pauses")]

    operations = [migrations.RenameField(model_name="credential", old_name="sealed", new_name="encrypted")]
