"""Django's database sessions with columns for the member, times and client (`SESSION_ENGINE`).

This is Django's documented way to list and end a member's sessions without decoding all of them. Rows are stored under
a digest of the session id, so that a leaked table contains no usable ids.
"""

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from portal.accounts.models import Member, MemberSession, hash_token

BEGAN_AT, SEEN_AT, ADDRESS, USER_AGENT = "began_at", "seen_at", "address", "user_agent"


class SessionStore(db.SessionStore):
    """Overrides the public methods that use the session key, to use its digest in the table.

    `member` is the member of the loaded session, read with the same query.
    """

    member: Member | None = None

    # Django's async methods run the sync ones in a thread. Those of the database backend would use the undigested key.
    acreate, asave, adelete = SessionBase.acreate, SessionBase.asave, SessionBase.adelete
    aload, aexists = SessionBase.aload, SessionBase.aexists

    @classmethod
    def get_model_class(cls) -> type[MemberSession]:
        return MemberSession

    def load(self) -> dict[str, Any]:
        rows = MemberSession.objects.select_related("member")
        try:
            # Not `first`, which sorts: that takes longer than a second query.
            row = rows.get(session_key=hash_token(self.session_key or ""), expire_date__gt=timezone.now())
        except MemberSession.DoesNotExist:
            # Like Django, don't adopt an unknown session id.
            self._session_key = None
            return {}
        self.member = row.member
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
