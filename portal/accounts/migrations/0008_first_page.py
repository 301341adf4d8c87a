from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_plain_names"),
    ]

    operations = [
        migrations.AddField(
            model_name="member",
            name="first_page",
            field=models.CharField(
                choices=[("overview", "Overview"), ("instances", "Instances")],
                default="overview",
                max_length=16,
                verbose_name="first page",
            ),
        ),
    ]
