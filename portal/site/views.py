from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from portal.core.permissions import Capability, requires
from portal.core.request import MemberRequest


@requires(Capability.LIST_INSTANCES)
@require_safe
def show_home(_request: MemberRequest) -> HttpResponse:
    return redirect("instances:list", region=next(iter(settings.BYCLOUD_REGIONS)))
