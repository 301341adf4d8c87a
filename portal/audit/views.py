"""The audit page: who did what, when and from where."""

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.accounts.capabilities import Capability, requires
from portal.accounts.requests import MemberRequest
from portal.audit.filters import PAGE_SIZE, EventFilter
from portal.audit.pages import read_page


@requires(Capability.READ_AUDIT)
@require_safe
def list_events(request: MemberRequest) -> HttpResponse:
    """A value that is not valid is named beside its field, and nothing is listed."""
    form = EventFilter(request.GET)
    context = {"form": form, "unknown": form.list_unknown(), "page": None}
    if not form.is_valid():
        return render(request, "audit/list.html", context, status=422)
    asked = form.cleaned_data
    page = read_page(form.select(), before=asked["before"], after=asked["after"], size=PAGE_SIZE)
    kept = {name: request.GET[name] for name in ("member", "act", "since", "until") if asked[name]}
    page_urls = {
        "newest": f"?{urlencode(kept)}" if page.newer else "",
        "newer": f"?{urlencode(kept | {'after': page.newer})}" if page.newer else "",
        "older": f"?{urlencode(kept | {'before': page.older})}" if page.older else "",
    }
    return render(request, "audit/list.html", context | {"page": page, "page_urls": page_urls})
