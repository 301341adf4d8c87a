"""Forms for sign-in, the team, invitations and preferences."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from typing import Any
from zoneinfo import available_timezones

from allauth.account.adapter import get_adapter
from allauth.account.forms import LoginForm
from django import forms
from django.conf import settings
from django.contrib.auth.forms import BaseUserCreationForm, PasswordChangeForm
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from portal.accounts.models import Invitation, Member, list_inviting_roles
from portal.core.formatting import exact_text
from portal.core.permissions import Role

LONGEST_LOGIN = 254


class SignInForm(LoginForm):  # type: ignore[misc]  # allauth has no types
    """allauth's form with the portal's labels, without placeholders and the link to a password reset that does not
    exist.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"] = forms.CharField(
            label=_("User name or e-mail"),
            max_length=LONGEST_LOGIN,
            widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
        )
        self.fields["password"].widget.attrs.pop("placeholder")
        self.fields["password"].help_text = ""
        self.order_fields(["login", "password"])


class ForgottenForm(forms.Form):
    login = forms.CharField(
        label=_("User name or e-mail"),
        max_length=LONGEST_LOGIN,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )


class ChangePasswordForm(PasswordChangeForm):
    def clean_old_password(self) -> str:
        """Check it like a reauthentication: Django's form would neither count nor record a wrong password."""
        password: str = self.cleaned_data["old_password"]
        if not get_adapter().reauthenticate(self.user, password):
            raise forms.ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return password


class InvitationForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's class takes none at run time
    class Meta:
        model = Invitation
        fields = ("name", "email", "role")
        help_texts = {
            "email": _("Optional. Can be used to sign in and to reset the password."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if settings.SSO_ONLY:
            role = self.fields["role"]
            assert isinstance(role, forms.ChoiceField)  # noqa: S101 - for the type checker
            role.choices = [(value, Role(value).label) for value in list_inviting_roles()]
            role.initial = role.choices[0][0]
            role.help_text = _("Other roles sign in with single sign-on and don't need an invitation.")

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        if email and Member.objects.filter(email=email).exists():
            raise forms.ValidationError(_("This e-mail address is already in use."))
        pending = Invitation.objects.pending().filter(email=email).first() if email else None
        if pending:
            text = _("An invitation for this address is pending until %(moment)s. Revoke it on the team page first.")
            raise forms.ValidationError(text, params={"moment": exact_text(pending.expires_at)})
        return email


class AcceptForm(BaseUserCreationForm):  # type: ignore[type-arg]
    """User name and password of an invited person."""

    class Meta:
        model = Member
        fields = ("username",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs.update(
            {"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
        )
        self.fields["password2"].label = _("Confirm password")
        self.fields["password2"].help_text = ""

    def validate_password_for_user(self, user: Member, **_options: Any) -> None:
        """Show the errors at the first password field; Django shows them at the second."""
        super().validate_password_for_user(user, password_field_name="password1")  # type: ignore[misc]  # noqa: S106


class RoleForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Member
        fields = ("role",)
        widgets = {"role": forms.RadioSelect}


class ThemeForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Member
        fields = ("theme",)


@lru_cache(maxsize=1)
def list_time_zones() -> tuple[str, ...]:
    """UTC, then the regional zones of the system's time zone data."""
    places = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/")))
    return ("UTC", *places)


@lru_cache(maxsize=16)
def render_time_zones(chosen: str) -> SafeString:
    """The zones as options, grouped by area: `America` contains `Sao Paulo`."""

    def show(zones: Iterable[str]) -> SafeString:
        facts = (
            (zone, mark_safe(" selected") if zone == chosen else "", (zone.partition("/")[2] or zone).replace("_", " "))
            for zone in zones
        )
        return format_html_join("", '<option value="{}"{}>{}</option>', facts)

    utc, *places = list_time_zones()
    areas = groupby(places, key=lambda zone: zone.partition("/")[0])
    groups = ((area, show(zones)) for area, zones in areas)
    return show([utc]) + format_html_join("", '<optgroup label="{}">{}</optgroup>', groups)


class TimeZoneSelect(forms.Select):
    """Django's widget renders a template for each of the 600 options; this one caches all of them for the last few
    zones chosen.
    """

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        del renderer
        options = render_time_zones(value if value in list_time_zones() else "")
        unchosen = format_html('<option value="">{}</option>', pgettext("time zone", "Browser default"))
        return format_html(
            "<select{}>{}{}</select>", flatatt(self.build_attrs({"name": name}, attrs)), unchosen, options
        )


class PreferencesForm(forms.ModelForm):  # type: ignore[type-arg]
    """A member's preferences, except the columns of lists, which are chosen in the list."""

    language = forms.ChoiceField(label=_("Language"), required=False, widget=forms.RadioSelect)
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        help_text=_("Used for all times shown."),
        choices=lambda: [("", pgettext("time zone", "Browser default")), *((zone, zone) for zone in list_time_zones())],
        widget=TimeZoneSelect,
    )
    refresh_seconds = forms.TypedChoiceField(
        label=_("Auto-refresh"),
        coerce=int,
        choices=[
            (15, _("Every 15 seconds")),
            (30, _("Every 30 seconds")),
            (60, _("Every minute")),
            (300, _("Every 5 minutes")),
            (0, _("Manual only")),
        ],
        help_text=_("Faster while something on the page is changing. Pages in hidden tabs are not refreshed."),
    )

    class Meta:
        model = Member
        fields = ("language", "time_zone", "theme", "density", "first_page", "refresh_seconds", "shortcuts")
        widgets = {"theme": forms.RadioSelect, "density": forms.RadioSelect, "first_page": forms.RadioSelect}
        labels = {
            "theme": _("Theme"),
            "density": _("List density"),
            "first_page": _("First page of a region"),
            "shortcuts": _("Single-key shortcuts"),
        }
        help_texts = {"shortcuts": _("Turn off if they interfere with speech input or a screen reader.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        language = self.fields["language"]
        assert isinstance(language, forms.ChoiceField)  # noqa: S101 - for the type checker
        # Each language in its own name, for members who can't read the current one.
        named = [(code, format_html('<span lang="{}">{}</span>', code, name)) for code, name in settings.LANGUAGES]
        language.choices = [("", _("Browser default")), *named]
