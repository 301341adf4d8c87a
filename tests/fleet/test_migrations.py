"""Migrations that move what the index holds."""

from importlib import import_module

import pytest
from django.db import connection

from portal.bycloud import Instance
from portal.fleet.models import Body, Facet, Text
from tests.fleet.rows import keep_instances

pytestmark = pytest.mark.django_db

# As earlier migrations leave them.
BEFORE = {
    "fleet_facet": '"instance_id" bigint NOT NULL, "term_id" bigint NOT NULL, PRIMARY KEY ("term_id", "instance_id")',
    "fleet_text": '"instance_id" bigint NOT NULL PRIMARY KEY, "text" text NOT NULL',
    "fleet_body": '"instance_id" bigint NOT NULL PRIMARY KEY, "body" BLOB NOT NULL',
}


def read_rows() -> tuple[set[object], ...]:
    return tuple(
        set(table.objects.values_list(*columns))
        for table, columns in (
            (Facet, ("term", "instance")),
            (Text, ("instance", "text")),
            (Body, ("instance", "body")),
        )
    )


@pytest.mark.skipif(connection.vendor != "sqlite", reason="Only SQLite's tables are made anew")
def test_tables_that_are_made_anew_keep_their_rows() -> None:
    keep_instances(Instance(id=str(number), status="ACTIVE", tags=("web", f"t{number}")) for number in range(5))
    rows = read_rows()
    with connection.cursor() as cursor:
        for table, columns in BEFORE.items():
            cursor.execute(f'ALTER TABLE "{table}" RENAME TO "kept"')
            cursor.execute(f'CREATE TABLE "{table}" ({columns})')
            names = ", ".join(column.name for column in connection.introspection.get_table_description(cursor, table))
            cursor.execute(f'INSERT INTO "{table}" ({names}) SELECT {names} FROM "kept"')  # noqa: S608 (constants)
            cursor.execute('DROP TABLE "kept"')
        import_module("portal.fleet.migrations.0005_smaller_tables").rebuild_tables(None, connection.schema_editor())
        assert read_rows() == rows
        assert [len(each) for each in rows] == [15, 5, 5]
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE tbl_name LIKE 'fleet_facet%%' AND sql IS NOT NULL")
        definitions = dict(cursor.fetchall())
        assert "WITHOUT ROWID" in definitions["fleet_facet"]
        assert len(definitions) == 2
    connection.check_constraints()
