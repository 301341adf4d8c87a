import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("credentials", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="credential",
            name="member",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="credentials",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="credential",
            name="visible_total",
            field=models.PositiveBigIntegerField(null=True, verbose_name="visible instances"),
        ),
        migrations.AddField(
            model_name="credential",
            name="expires_on",
            field=models.DateField(null=True, verbose_name="expires on"),
        ),
        migrations.AddConstraint(
            model_name="credential",
            constraint=models.UniqueConstraint(
                condition=models.Q(("member", None)), fields=("region",), name="one_team_credential_per_region"
            ),
        ),
    ]
