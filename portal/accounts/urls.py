"""URL patterns for sign-in, second factors, the team and preferences. Those of allauth keep their global names."""

from collections.abc import Callable
from typing import Any

from django.urls import include, path

from portal.accounts import views
from portal.accounts.mfa import reauthentication
from portal.accounts.mfa import views as mfa_views
from portal.accounts.passwords import views as password_views
from portal.accounts.sessions import views as session_views
from portal.accounts.sso import views as sso_views
from portal.core.permissions import Capability, requires
from portal.core.request import require_form, require_post


def form(view: Callable[..., Any], capability: Capability) -> Callable[..., Any]:
    """Wrap an allauth view, which has no capability and accepts any method."""
    return requires(capability)(require_form(view))


OWN = Capability.MANAGE_OWN_MFA

own_patterns = [
    path("sign-in/passkey/challenge/", mfa_views.make_challenge, name="passkey_challenge"),
    path("sign-in/provider/", sso_views.start_single_sign_on, name="single_sign_on"),
    path("sign-in/provider/back/", sso_views.finish_single_sign_on, name="single_sign_on_callback"),
    path("second-factor/<int:pk>/remove/", mfa_views.remove_factor, name="remove_factor"),
    path("team/invitations/", views.invite, name="invite"),
    path("team/invitations/<int:pk>/revoke/", views.revoke_invitation, name="revoke_invitation"),
    path("team/<int:pk>/role/", views.change_role, name="change_role"),
    path("team/<int:pk>/second-factor/", mfa_views.reset_mfa, name="reset_factors"),
    path("team/<int:pk>/deactivate/", views.deactivate, name="deactivate"),
    path("team/<int:pk>/activate-again/", views.reactivate, name="activate_again"),
    path("invitations/<str:token>/", views.accept_invitation, name="accept_invitation"),
    path("team/<int:pk>/sessions/", session_views.show_members, name="member_sessions"),
    path("team/<int:pk>/sessions/end/", session_views.end_members, name="end_member_sessions"),
    path("team/<int:pk>/password/", password_views.make_link, name="make_password_link"),
    path("sessions/", session_views.show_own, name="sessions"),
    path("sessions/end/", session_views.end_own, name="end_sessions"),
    path("sessions/stay/", session_views.stay, name="stay"),
    path("password/", password_views.change_own, name="change_password"),
    path("password/forgotten/", password_views.forgotten, name="forgotten_password"),
    path("password/new/<str:key>/<str:token>/", password_views.choose_new, name="new_password"),
    path("preferences/", views.show_preferences, name="preferences"),
    path("preferences/theme/", views.change_theme, name="change_theme"),
]

urlpatterns = [
    path("sign-in/", form(views.SignInView.as_view(), Capability.PUBLIC), name="account_login"),
    path(
        "sign-in/second-factor/",
        form(mfa_views.SecondFactorView.as_view(), Capability.PUBLIC),
        name="mfa_authenticate",
    ),
    path(
        "sign-in/passkey/",
        form(mfa_views.PasskeySignInView.as_view(), Capability.PUBLIC),
        name="mfa_login_webauthn",
    ),
    path(
        "second-factor/again/", form(reauthentication.PasswordAgainView.as_view(), OWN), name="account_reauthenticate"
    ),
    path("second-factor/again/code/", form(reauthentication.CodeAgainView.as_view(), OWN), name="mfa_reauthenticate"),
    path(
        "second-factor/again/passkey/",
        form(mfa_views.PasskeyAgainView.as_view(), OWN),
        name="mfa_reauthenticate_webauthn",
    ),
    path("second-factor/", mfa_views.show_factors, name="mfa_index"),
    path("second-factor/app/", form(mfa_views.SetUpAppView.as_view(), OWN), name="mfa_activate_totp"),
    path("second-factor/passkeys/", form(mfa_views.AddPasskeyView.as_view(), OWN), name="mfa_add_webauthn"),
    path("second-factor/<int:pk>/name/", form(mfa_views.RenamePasskeyView.as_view(), OWN), name="mfa_edit_webauthn"),
    path("second-factor/recovery-codes/", mfa_views.show_recovery_codes, name="mfa_view_recovery_codes"),
    path(
        "second-factor/recovery-codes/renew/",
        requires(OWN)(require_post(mfa_views.RenewCodesView.as_view())),
        name="mfa_generate_recovery_codes",
    ),
    path("sign-out/", views.sign_out, name="account_logout"),
    path("", include((own_patterns, "accounts"))),
]
