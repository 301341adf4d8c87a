"""The audit page: who did what, when and from where."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.accounts.capabilities import Capability, requires
from portal.accounts.requests import MemberRequest


@requires(Capability.READ_AUDIT)
@require_safe
def list_events(request: MemberRequest) -> HttpResponse:
    return render(request, "audit/list.html")
