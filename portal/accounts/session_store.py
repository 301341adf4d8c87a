"""Django's sessions in the database, with columns that say whose each is (`SESSION_ENGINE`).

Django documents this as the way to list and end a person's sessions without opening everybody's.
"""

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.utils.dateparse import parse_datetime

from portal.accounts.models import MemberSession

BEGAN_AT, SEEN_AT, ADDRESS, USER_AGENT = "began_at", "seen_at", "address", "user_agent"


class SessionStore(db.SessionStore):
    @classmethod
    def get_model_class(cls) -> type[MemberSession]:
        return MemberSession

    def create_model_instance(self, data: dict[str, Any]) -> MemberSession:
        row = super().create_model_instance(data)
        assert isinstance(row, MemberSession)  # noqa: S101 -- for the type checker: the class is the one above
        row.member_id = int(data[SESSION_KEY]) if SESSION_KEY in data else None
        row.began_at = parse_datetime(data[BEGAN_AT]) if BEGAN_AT in data else None
        row.seen_at = parse_datetime(data[SEEN_AT]) if SEEN_AT in data else None
        row.address = data.get(ADDRESS, "")
        row.user_agent = data.get(USER_AGENT, "")
        return row
