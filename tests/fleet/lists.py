"""What the index and ByCloud have of a fleet, as sets of ids."""

from portal.bycloud import Client, InstanceQuery
from portal.fleet.models import IndexedInstance
from portal.gateway import ApiSession
from tests.fleet.conftest import fleet_of
from tests.upstream import Upstream


def list_present(session: ApiSession) -> set[str]:
    rows = IndexedInstance.objects.filter(fleet=fleet_of(session), missing_at=None)
    return set(rows.values_list("instance_id", flat=True))


def list_missing(session: ApiSession) -> set[str]:
    rows = IndexedInstance.objects.filter(fleet=fleet_of(session), missing_at__isnull=False, gone_at=None)
    return set(rows.values_list("instance_id", flat=True))


def list_gone(session: ApiSession) -> set[str]:
    rows = IndexedInstance.objects.filter(fleet=fleet_of(session), gone_at__isnull=False)
    return set(rows.values_list("instance_id", flat=True))


def list_all(session: ApiSession) -> list[str]:
    """The ids that ByCloud lists now, newest first."""
    client, ids, marker = Client(session.region, session.credential), [], None
    while True:
        page = client.list_instances(InstanceQuery(limit=20, marker=marker))
        ids += [instance.id or "" for instance in page.instances or ()]
        if not page.meta or not page.meta.has_more:
            return ids
        marker = page.meta.marker


def delete(upstream: Upstream, *instance_ids: str) -> None:
    for instance_id in instance_ids:
        upstream.change(instance_id, action="delete", seconds=0)
