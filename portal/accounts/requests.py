"""The request as views see it: signed in, and with htmx's headers read."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from portal.accounts.models import Member


class MemberRequest(HttpRequest):
    """A request that `AccessMiddleware` has let through to a view that is not public."""

    user: Member
    htmx: HtmxDetails
