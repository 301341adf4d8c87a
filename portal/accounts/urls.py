"""Routes of sign-in, the team and one's own preferences. Sign-in and sign-out keep allauth's global names."""

from allauth.account.views import login
from django.urls import include, path

from portal.accounts import password_views, session_views, views
from portal.accounts.capabilities import Capability, requires

own_patterns = [
    path("team/", views.show_team, name="team"),
    path("team/invitations/", views.invite, name="invite"),
    path("team/invitations/<int:pk>/revoke/", views.revoke_invitation, name="revoke_invitation"),
    path("team/<int:pk>/role/", views.change_role, name="change_role"),
    path("team/<int:pk>/deactivate/", views.deactivate, name="deactivate"),
    path("team/<int:pk>/activate-again/", views.activate_again, name="activate_again"),
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
    path("sign-in/", requires(Capability.PUBLIC)(views.require_form(login)), name="account_login"),
    path("sign-out/", views.sign_out, name="account_logout"),
    path("", include((own_patterns, "accounts"))),
]
