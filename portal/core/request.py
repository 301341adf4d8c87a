"""The request type of views for members, and the decorator of form views."""

from typing import TYPE_CHECKING

from django.http import HttpRequest
from django.views.decorators.http import require_http_methods
from django_htmx.middleware import HtmxDetails

if TYPE_CHECKING:
    from portal.accounts.models import Member
    from portal.credentials.models import Credential

# GET shows the form, POST submits it.
require_form = require_http_methods(["GET", "HEAD", "POST"])


class MemberRequest(HttpRequest):
    """A request that `AccessMiddleware` has authorized for a view that is not public.

    `held` is set before ByCloud is called: the row of the credential in use, the member's own or the team's.
    """

    user: "Member"
    htmx: HtmxDetails
    held: "Credential"
