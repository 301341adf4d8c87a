"""Reauthentication before sensitive actions.

allauth stores the submitted form in the session and resumes it after the member has confirmed access. Passwords and
ByCloud credentials must not be stored like that, so their forms use `reauthentication_before_form`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from allauth.account.utils import get_next_redirect_url
from allauth.account.views import ReauthenticateView
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.base.views import ReauthenticateView as ReauthenticateByCodeView
from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import Resolver404, resolve, reverse
from django.utils.translation import gettext as _

from portal.accounts.middleware import check_access
from portal.core.http import add_way_back
from portal.core.permissions import Capability

View = TypeVar("View", bound=Callable[..., Any])
APP = "allauth.mfa"
_OF_THE_TEAM = frozenset({Capability.MANAGE_TEAM, Capability.MANAGE_TEAM_CREDENTIAL})

after_reauthentication: Callable[[View], View] = reauthentication_required(app=APP)
# GET needs no confirmation; a POST is stored until access is confirmed.
after_reauthentication_for_form: Callable[[View], View] = reauthentication_required(app=APP, allow_get=True)


def reauthentication_before_form(view: View) -> View:
    """Require reauthentication before the form is shown. A POST without it is dropped, and the empty form is shown
    again.
    """
    protected_view = after_reauthentication(view)

    @wraps(view)
    def require_first(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return protected_view(request, *args, **kwargs)  # type: ignore[no-any-return]
        except ReauthenticationRequired:
            pass
        if request.method == "POST":
            messages.warning(request, _("Nothing was saved. Confirm access, then fill in the form again."))
        way = get_adapter().get_reauthentication_methods(request.user)[0]["url"]
        return HttpResponseRedirect(add_way_back(way, request.get_full_path()))

    return require_first  # type: ignore[return-value]


class ReauthenticationMixin:
    """Mixin for allauth's reauthentication views.

    A resumed form does not go through `AccessMiddleware` again, so permissions are checked here: the member may have
    lost their role in the meantime.
    """

    request: HttpRequest

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        facts: dict[str, Any] = super().get_context_data(**kwargs) | kwargs  # type: ignore[misc]
        is_of_team = getattr(self._find_waiting(), "capability", None) in _OF_THE_TEAM
        return facts | {"cancel_url": reverse("team" if is_of_team else "mfa_index")}

    def form_valid(self, form: Form) -> HttpResponse:
        waiting = self._find_waiting()
        led_away = waiting and check_access(self.request, waiting)
        return led_away or super().form_valid(form)  # type: ignore[misc]

    def _find_waiting(self) -> Callable[..., Any] | None:
        """The view behind `next`. allauth only resumes a form that was stored for the same URL."""
        try:
            url = get_next_redirect_url(self.request) or ""
            return resolve(url.partition("?")[0]).func
        except Resolver404:
            return None


class PasswordAgainView(ReauthenticationMixin, ReauthenticateView):  # type: ignore[misc]  # allauth has no types
    pass


class CodeAgainView(ReauthenticationMixin, ReauthenticateByCodeView):  # type: ignore[misc]
    pass
