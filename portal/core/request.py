"""The request type of views for members, and what views that take forms need."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from django.http import HttpRequest, QueryDict
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.middleware import HtmxDetails

if TYPE_CHECKING:
    from portal.accounts.models import Member
    from portal.credentials.models import Credential

View = TypeVar("View", bound=Callable[..., Any])

# GET shows the form, POST submits it.
require_form = require_http_methods(["GET", "HEAD", "POST"])


def require_post(view: View) -> View:
    """For a view that only processes a form and has no page for GET."""
    view = require_POST(view)
    view.takes_forms_only = True  # type: ignore[attr-defined]
    return view


def posted_data(request: HttpRequest) -> QueryDict | None:
    """The data to bind a form to, or None where the form is only shown. An empty POST counts, too."""
    return request.POST if request.method == "POST" else None


class MemberRequest(HttpRequest):
    """A request that `AccessMiddleware` has authorized for a view that is not public.

    `credential` is set before ByCloud is called: the row of the credential in use, the member's own or the team's.
    """

    user: "Member"
    htmx: HtmxDetails
    credential: "Credential"
