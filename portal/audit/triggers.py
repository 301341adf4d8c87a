"""Database triggers that make the event table append-only, for SQLite and PostgreSQL.

Rows can't be changed, and rows younger than `FLOOR_DAYS` can't be deleted. Older rows can, for `manage.py prune_audit`.
SQLite drops triggers when a migration recreates the table: such a migration must call `install_triggers` again.
"""

from django.apps.registry import Apps
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# The minimum of AUDIT_DAYS.
FLOOR_DAYS = 30

_SQLITE = (
    """
    CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event
    BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END
    """,
    f"""
    CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event
    WHEN OLD.at > strftime('%Y-%m-%d %H:%M:%f', 'now', '-{FLOOR_DAYS} days')
    BEGIN SELECT RAISE(ABORT, 'audit events are not deleted so soon'); END
    """,
    # INSERT OR REPLACE deletes rows without running the trigger above.
    """
    CREATE TRIGGER audit_event_no_replace BEFORE INSERT ON audit_event
    WHEN EXISTS (SELECT 1 FROM audit_event WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'audit events are never changed: this id is not unique'); END
    """,
)
_SQLITE_DROP = tuple(f"DROP TRIGGER IF EXISTS audit_event_no_{what}" for what in ("update", "delete", "replace"))
_POSTGRESQL = (
    f"""
    CREATE OR REPLACE FUNCTION audit_event_refuse() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF OLD.at <= now() - interval '{FLOOR_DAYS} days' THEN
                RETURN OLD;
            END IF;
            RAISE EXCEPTION 'audit events are not deleted so soon';
        END IF;
        RAISE EXCEPTION 'audit events are never changed';
    END $$
    """,
    """
    CREATE TRIGGER audit_event_no_update BEFORE UPDATE OR DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION audit_event_refuse()
    """,
    """
    CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_refuse()
    """,
)
_POSTGRESQL_DROP = (
    "DROP TRIGGER IF EXISTS audit_event_no_update ON audit_event",
    "DROP TRIGGER IF EXISTS audit_event_no_truncate ON audit_event",
    "DROP FUNCTION IF EXISTS audit_event_refuse()",
)


def install_triggers(_apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """For migrations. Can be run again."""
    drop_triggers(_apps, schema_editor)
    for statement in _SQLITE if schema_editor.connection.vendor == "sqlite" else _POSTGRESQL:
        schema_editor.execute(statement, params=None)


def drop_triggers(_apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for statement in _SQLITE_DROP if schema_editor.connection.vendor == "sqlite" else _POSTGRESQL_DROP:
        schema_editor.execute(statement, params=None)
