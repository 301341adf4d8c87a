"""Files and JSON: a page of the list as CSV with the visible columns or as JSON with all fields, and the raw JSON of an
instance, whose errors are JSON too.

Names and raw values are ByCloud's own, in every language; nested fields are named like `flavor.ram`. Times are ISO
8601. Values that a spreadsheet would run as formulas are escaped (OWASP: CSV Injection).
"""

import csv
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from io import StringIO
from typing import Any

import msgspec
from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from portal.audit.models import Action
from portal.audit.services import record_event
from portal.bycloud import Instance, Region, list_unreadable_paths
from portal.core.csv_safety import csv_cell
from portal.core.formatting import iso_text
from portal.core.request import MemberRequest
from portal.gateway import read_meter
from portal.instances.columns import Column
from portal.instances.errors import DetailFailedError, DetailMissingError, NoCredentialError, describe
from portal.instances.forms import InvalidHintsError
from portal.instances.index_responses import find_pace
from portal.instances.lookup import FoundInstance

CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


def write_csv(instances: Sequence[Instance], columns: Sequence[Column]) -> bytes:
    """UTF-8 with a byte order mark, without which spreadsheets assume another encoding.

    If values could not be parsed, an extra column has their JSON paths, because an empty cell means no value.
    """
    file = StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    columns = tuple(column for column in columns if column.name != "id")
    unreadable = [list_unreadable_paths(instance) for instance in instances]
    is_partial = any(unreadable)
    names = ["id", *(column.field or column.name for column in columns)]
    writer.writerow([*names, "unreadable"] if is_partial else names)
    for instance, paths in zip(instances, unreadable, strict=True):
        cells = [csv_cell(instance.id), *(csv_cell((column.read_raw or column.read)(instance)) for column in columns)]
        writer.writerow([*cells, csv_cell(paths)] if is_partial else cells)
    return file.getvalue().encode("utf-8-sig")


def write_json(instances: Sequence[Instance], *, region: Region, fetched_at: datetime, source: str) -> bytes:
    """All documented fields of each instance. `source` is the request to ByCloud behind them."""
    page = {"region": region.code, "fetched_at": iso_text(fetched_at), "source": source, "instances": instances}
    return msgspec.json.format(msgspec.json.encode(page), indent=2)


def name_file(region: Region, fetched_at: datetime, ending: str) -> str:
    """Only letters, digits, dashes and one dot: `instances-spo1-20261123T143207Z.csv`."""
    return f"instances-{region.code}-{iso_text(fetched_at).replace('-', '').replace(':', '')}.{ending}"


def record_export(request: MemberRequest, region: Region, count: int, file_format: str, what: str) -> None:
    """On record like every file and text that leaves the portal. `what` tells which instances they are."""
    credential = request.credential
    means = f"{file_format} with the team's credential {credential.fingerprint}" if credential.is_team else file_format
    subject = f"{region.code}: {count} instances, {means}, {what}"
    record_event(Action.INSTANCES_EXPORTED, request=request, member=request.user, subject=subject)


def answer_json(found: FoundInstance, instance_id: str, *, is_download: bool) -> HttpResponse:
    """The original bytes; with `is_download`, as a file, which browsers do not save with another status than 200."""
    status = HTTPStatus.GONE if found.is_gone and not is_download else HTTPStatus.OK
    response = HttpResponse(found.cached.value.source, content_type="application/json", status=status)
    response.headers["X-Content-Type-Options"] = "nosniff"
    if is_download:
        response.headers["Content-Disposition"] = f'attachment; filename="instance-{instance_id}.json"'
    return response


def ask_for_credential_in_json(_request: MemberRequest, _region: Region, error: NoCredentialError) -> HttpResponse:
    problem = error.problem or _("You don't have a ByCloud credential for this region yet.")
    return _refuse_json(HTTPStatus.CONFLICT, problem)


def refuse_in_json(_request: MemberRequest, _region: Region, error: InvalidHintsError) -> HttpResponse:
    return _refuse_json(HTTPStatus.BAD_REQUEST, _("Some parameters are invalid."), parameters=error.problems)


def fail_in_json(_request: MemberRequest, _region: Region, failure: DetailFailedError) -> HttpResponse:
    notice = describe(failure.error, read_meter(failure.session))
    known = {"details": failure.error.message, "request_id": failure.error.request_id}
    return _refuse_json(notice.status, notice.title, **{name: text for name, text in known.items() if text})


def miss_in_json(_request: MemberRequest, _region: Region, error: DetailMissingError) -> HttpResponse:
    """404 if everything was searched, otherwise 503 and when to try again.

    `next_marker` is where the search of the list continues without an index: the parameter `marker` of this address.
    """
    search = error.search
    more: dict[str, Any] = {"searched": search.searched, "total": search.total}
    if search.is_over:
        return _refuse_json(HTTPStatus.NOT_FOUND, _("Instance not found."), **more)
    if search.next_marker:
        more["next_marker"] = search.next_marker
    response = _refuse_json(HTTPStatus.SERVICE_UNAVAILABLE, _("Instance not found yet."), **more)
    response.headers["Retry-After"] = str(find_pace(search.coverage) if search.coverage else 1)
    return response


def _refuse_json(status: int, message: str, **more: Any) -> HttpResponse:
    """An error in the format of ByCloud's own."""
    response = JsonResponse({"error": {"code": int(status), "message": message} | more}, status=status)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
