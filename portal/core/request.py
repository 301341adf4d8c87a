"""The request as views see it: signed in, and with htmx's headers read; and what a form's page takes."""

from typing import TYPE_CHECKING

from django.http import HttpRequest
from django.views.decorators.http import require_http_methods
from django_htmx.middleware import HtmxDetails

if TYPE_CHECKING:
    from portal.accounts.models import Member
    from portal.credentials.models import Credential

# Shows the form, and takes it.
require_form = require_http_methods(["GET", "HEAD", "POST"])


class MemberRequest(HttpRequest):
    """A request that `AccessMiddleware` has let through to a view that is not public.

    `held`, there once ByCloud is about to be asked: the row of the credential for that, the member's own or the team's.
    """

    user: "Member"
    htmx: HtmxDetails
    held: "Credential"
