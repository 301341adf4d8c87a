"""Audit events with dates in the past."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from portal.audit.models import Action, Event


def write(*, days_ago: float = 0, act: Action = Action.SIGNED_IN, name: str = "vera", **given: Any) -> Event:
    event = Event(act=act, name=name, at=timezone.now() - timedelta(days=days_ago), **given)
    event.save()
    return event
