"""On PostgreSQL, too, the database itself rejects changes to events."""

import psycopg
import pytest

from portal.audit.triggers import FLOOR_DAYS
from tests.services.portals import Deployment

INSERT = (
    "INSERT INTO audit_event (at, act, name, subject, address, user_agent, request_id)"
    " VALUES (now() - make_interval(days => %s), 'signed-in', 'trigger-test', '', '', '', '')"
)


@pytest.fixture
def connection(deployment: Deployment) -> "psycopg.Connection[tuple[int, ...]]":
    return psycopg.connect(deployment.database_url, autocommit=True)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET name = 'mallory' WHERE name = 'trigger-test'",
        "DELETE FROM audit_event WHERE name = 'trigger-test'",
        "TRUNCATE audit_event",
        "INSERT INTO audit_event SELECT * FROM audit_event ON CONFLICT (id) DO UPDATE SET name = 'mallory'",
    ],
)
def test_postgresql_refuses_what_would_change_an_event(
    connection: "psycopg.Connection[tuple[int, ...]]", statement: str
) -> None:
    with connection:
        connection.execute(INSERT, [0])
        before = connection.execute("SELECT * FROM audit_event ORDER BY id").fetchall()
        with pytest.raises(psycopg.errors.RaiseException, match="audit events are"):
            connection.execute(statement.encode())
        assert connection.execute("SELECT * FROM audit_event ORDER BY id").fetchall() == before


def test_no_session_tells_the_triggers_where_to_look(connection: "psycopg.Connection[tuple[int, ...]]") -> None:
    with connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_proc"
            " WHERE proname = 'audit_event_refuse' AND 'search_path=pg_catalog' = ANY(proconfig)"
        ).fetchone()
    assert found == (1,)


def test_on_postgresql_what_is_older_than_the_floor_can_be_pruned(
    deployment: Deployment, connection: "psycopg.Connection[tuple[int, ...]]"
) -> None:
    with connection:
        connection.execute(INSERT, [FLOOR_DAYS + 70])
        deployment.manage("prune_audit")
        old = connection.execute("SELECT count(*) FROM audit_event WHERE at < now() - interval '90 days'").fetchone()
        pruned = connection.execute("SELECT count(*) FROM audit_event WHERE act = 'audit-pruned'").fetchone()
    assert old == (0,)
    assert pruned == (1,)
