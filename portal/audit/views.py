"""Views to list and export audit events."""

from http import HTTPStatus
from typing import get_args
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.audit.forms import FILTERS, PAGE_SIZE, EventFilter
from portal.audit.models import Action, Event
from portal.audit.services import CONTENT_TYPES, Format, read_page, record_event, write_events
from portal.core.http import describe_unknown, encode_query, list_unknown, redirect_without
from portal.core.permissions import Capability, requires
from portal.core.request import MemberRequest, require_post


@requires(Capability.READ_AUDIT)
@require_safe
def list_events(request: MemberRequest) -> HttpResponse:
    """An invalid filter shows its error and no events."""
    form = EventFilter(request.GET)
    unknown = list_unknown(request, form.fields)
    if not form.is_valid():
        context = {"form": form, "unknown": describe_unknown(unknown), "page": None}
        return render(request, "audit/list.html", context, status=422)
    if unknown:
        asked = encode_query((name, request.GET[name]) for name in form.fields if request.GET.get(name))
        return redirect_without(request, unknown, f"{request.path}?{asked}" if asked else request.path)
    values = form.cleaned_data
    page = read_page(form.select(), before=values["before"], after=values["after"], size=PAGE_SIZE)
    kept = {name: request.GET[name] for name in FILTERS if values[name]}
    page_urls = {
        "newest": f"?{encode_query(kept.items())}" if page.newer else "",
        "newer": f"?{encode_query((kept | {'after': str(page.newer)}).items())}" if page.newer else "",
        "older": f"?{encode_query((kept | {'before': str(page.older)}).items())}" if page.older else "",
    }
    context = {"form": form, "unknown": "", "page": page, "page_urls": page_urls, "kept": kept}
    return render(request, "audit/list.html", context)


@requires(Capability.READ_AUDIT)
@require_post
def export_events(request: MemberRequest) -> HttpResponseBase:
    """Export the filtered events. The export is recorded before the file is sent and is not part of it."""
    form = EventFilter({name: request.POST.get(name, "") for name in FILTERS})
    kind = _read_format(request.POST.get("format", ""))
    if kind is None or not form.is_valid():
        context = {"form": form, "unknown": "", "page": None}
        return render(request, "audit/list.html", context, status=HTTPStatus.BAD_REQUEST)
    newest = Event.objects.values_list("id", flat=True).first() or 0
    asked = urlencode({name: form.data[name] for name in FILTERS if form.data[name]})
    record_event(
        Action.AUDIT_EXPORTED, request=request, member=request.user, subject=f"{kind}, {asked or 'everything'}"
    )
    response = StreamingHttpResponse(
        write_events(form.select().filter(id__lte=newest), kind), content_type=CONTENT_TYPES[kind]
    )
    response.headers["Content-Disposition"] = f'attachment; filename="audit-{timezone.now():%Y%m%dT%H%M%SZ}.{kind}"'
    return response


def _read_format(text: str) -> Format | None:
    return next((kind for kind in get_args(Format) if kind == text), None)
