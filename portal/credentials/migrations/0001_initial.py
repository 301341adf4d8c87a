import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Credential",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("region", models.CharField(max_length=63, verbose_name="region")),
                (
                    "kind",
                    models.CharField(
                        choices=[("bearer", "Bearer token"), ("api-key", "API key pair")],
                        max_length=16,
                        verbose_name="kind",
                    ),
                ),
                ("sealed", models.BinaryField()),
                ("fingerprint", models.CharField(max_length=16, verbose_name="fingerprint")),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("replaced_at", models.DateTimeField(null=True, verbose_name="replaced at")),
                ("checked_at", models.DateTimeField(null=True, verbose_name="checked at")),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="credentials",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("member", "region"), name="one_credential_per_member_and_region")
                ],
            },
        ),
    ]
