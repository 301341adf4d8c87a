"""`manage.py prune_audit`: deletes events older than AUDIT_DAYS. Run it daily with cron."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone
from django.utils.translation import ngettext

from portal.audit.services import prune_events


class Command(BaseCommand):
    help = "Deletes audit events older than AUDIT_DAYS. Can be run again at any time."

    def handle(self, **_options: Any) -> None:
        pruned = prune_events(timezone.now() - timedelta(days=settings.AUDIT_DAYS))
        self.stdout.write(
            ngettext(
                "%(count)s event was older than %(days)s days and is deleted.",
                "%(count)s events were older than %(days)s days and are deleted.",
                pruned,
            )
            % {"count": pruned, "days": settings.AUDIT_DAYS}
        )
