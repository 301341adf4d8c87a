"""Django's sessions in the database, with columns that say whose each is (`SESSION_ENGINE`).

Django documents this as the way to list and end a person's sessions without opening everybody's. A row is found by the
digest of the id in the cookie: whoever reads the table learns no id that a browser could send.
"""

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from portal.accounts.models import MemberSession, hash_token

BEGAN_AT, SEEN_AT, ADDRESS, USER_AGENT = "began_at", "seen_at", "address", "user_agent"


class SessionStore(db.SessionStore):
    """Each method below that takes or makes a session's id is a public one of Django's, and asks the table for the
    digest. Only `load` is written anew: Django's looks the row up by a private method.
    """

    # Django's own for threads: its asynchronous ones would go to the table by themselves, with the id as it is.
    acreate, asave, adelete = SessionBase.acreate, SessionBase.asave, SessionBase.adelete
    aload, aexists = SessionBase.aload, SessionBase.aexists

    @classmethod
    def get_model_class(cls) -> type[MemberSession]:
        return MemberSession

    def load(self) -> dict[str, Any]:
        key = self.session_key
        rows = MemberSession.objects.filter(expire_date__gt=timezone.now())
        row = rows.filter(session_key=hash_token(key)).first() if key else None
        if row is None:
            # As Django does it: an id that nobody was given is not taken over.
            self._session_key = None
            return {}
        data: dict[str, Any] = self.decode(row.session_data)
        return data

    def exists(self, session_key: str) -> bool:
        return super().exists(hash_token(session_key))

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key:
            super().delete(hash_token(key))

    def create_model_instance(self, data: dict[str, Any]) -> MemberSession:
        row = super().create_model_instance(data)
        assert isinstance(row, MemberSession)  # noqa: S101 -- for the type checker: the class is the one above
        row.session_key = hash_token(row.session_key)
        row.member_id = int(data[SESSION_KEY]) if SESSION_KEY in data else None
        row.began_at = parse_datetime(data[BEGAN_AT]) if BEGAN_AT in data else None
        row.seen_at = parse_datetime(data[SEEN_AT]) if SEEN_AT in data else None
        row.address = data.get(ADDRESS, "")
        row.user_agent = data.get(USER_AGENT, "")
        return row
