"""What a walk leaves in the index, to begin other tests with: as if it had ended just now, for a tenth of its cost."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.management.color import no_style
from django.db import connection
from django.db.models import F, Model
from django.utils import timezone

from portal.fleet.models import Body, Facet, IndexedFleet, IndexedInstance, Pass, Term, Text
from tests.memory import forget_everything

MODELS = (IndexedFleet, Pass, IndexedInstance, Text, Body, Term, Facet)
# What tells when something was read, and so is later in a later test.
TIMES = {
    IndexedFleet: ("created_at", "used_at", "tried_at", "succeeded_at", "completed_at", "baseline_at"),
    Pass: ("started_at", "finished_at"),
    IndexedInstance: ("first_seen", "last_seen"),
}


@dataclass
class Snapshot:
    """The rows of the index as `write` leaves them in an empty one, and the time it was then."""

    taken_at: datetime | None = None
    rows: dict[type[Model], list[tuple[Any, ...]]] = field(default_factory=dict)

    def restore(self, write: Callable[[], None]) -> None:
        """Write them: the first time by `write`. Nothing is left in memory."""
        if self.taken_at is None:
            write()
            self._take()
            forget_everything()
            return
        with connection.cursor() as cursor:
            for model, rows in self.rows.items():
                table, columns = quote(model)
                values = ", ".join(["%s"] * len(model._meta.local_concrete_fields))
                cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({values})", rows)  # noqa: S608
            for statement in connection.ops.sequence_reset_sql(no_style(), MODELS):
                cursor.execute(statement)
        later = timezone.now() - self.taken_at
        for timed, names in TIMES.items():
            timed._default_manager.update(**{name: F(name) + later for name in names})

    def _take(self) -> None:
        with connection.cursor() as cursor:
            for model in MODELS:
                table, columns = quote(model)
                cursor.execute(f"SELECT {columns} FROM {table}")  # noqa: S608
                self.rows[model] = cursor.fetchall()
        self.taken_at = timezone.now()


def quote(model: type[Model]) -> tuple[str, str]:
    """The table of a model and its columns, as SQL names them."""
    name = connection.ops.quote_name
    columns = [name(str(each.column)) for each in model._meta.local_concrete_fields]
    return name(model._meta.db_table), ", ".join(columns)
