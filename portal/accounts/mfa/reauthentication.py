"""Before what matters one proves once more who one is (allauth: reauthentication): what waits, and how it goes on.

allauth keeps a form that has to wait in the session and answers it right after the proof. No password and no ByCloud
credential may be kept like that: their forms are behind `before_form`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from allauth.account.utils import get_next_redirect_url
from allauth.account.views import ReauthenticateView
from allauth.core.internal.urlkit import script_aware_resolve
from allauth.mfa.base.views import ReauthenticateView as ReauthenticateByCodeView
from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import Resolver404, reverse
from django.utils.translation import gettext as _

from portal.accounts.middleware import check_access
from portal.core.http import add_way_back
from portal.core.permissions import Capability

View = TypeVar("View", bound=Callable[..., Any])
APP = "allauth.mfa"
_OF_THE_TEAM = frozenset({Capability.MANAGE_TEAM, Capability.MANAGE_TEAM_CREDENTIAL})

after_proof: Callable[[View], View] = reauthentication_required(app=APP)
# What is only looked at needs no proof; what is sent waits until there is one.
after_proof_of_form: Callable[[View], View] = reauthentication_required(app=APP, allow_get=True)


def before_form(view: View) -> View:
    """The proof comes before the form is shown. What is sent without one is dropped, and the empty form comes back."""

    @wraps(view)
    def ask_first(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not is_reauthentication_required(request, app=APP):
            return view(request, *args, **kwargs)  # type: ignore[no-any-return]
        if request.method == "POST":
            messages.warning(request, _("Nothing was saved. Confirm access, then fill in the form again."))
        way = get_adapter().get_reauthentication_methods(request.user)[0]["url"]
        return HttpResponseRedirect(add_way_back(way, request.get_full_path()))

    return ask_first  # type: ignore[return-value]


class Proof:
    """Mixed into allauth's views of a proof. What has waited does not pass `AccessMiddleware` again, so its question is
    put here: she may have lost her role meanwhile.
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
        """The view behind `next`; allauth answers a form that has waited only if it was for that very address."""
        try:
            url = get_next_redirect_url(self.request) or ""
            return script_aware_resolve(url.partition("?")[0]).func  # type: ignore[no-any-return]
        except Resolver404:
            return None


class PasswordAgainView(Proof, ReauthenticateView):  # type: ignore[misc]  # allauth has no types
    pass


class CodeAgainView(Proof, ReauthenticateByCodeView):  # type: ignore[misc]
    pass
