"""The sessions of one member. Knows Django's session table and what it keeps of a sign-in."""

from importlib import import_module

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone

from portal.accounts.models import Member


def end_sessions(member: Member) -> int:
    """Delete every session of that member; returns how many there were.

    Sessions do not say whose they are but inside, so all that have not expired are opened: fine for a team.
    """
    store = import_module(settings.SESSION_ENGINE).SessionStore
    keys = [
        session.session_key
        for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator()
        if session.get_decoded().get(SESSION_KEY) == str(member.pk)
    ]
    for key in keys:
        store(key).delete()
    return len(keys)
