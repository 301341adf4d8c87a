"""The forms of sign-in, team, invitations and preferences."""

from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from allauth.account.forms import LoginForm
from django import forms
from django.contrib.auth.forms import BaseUserCreationForm
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import Invitation, Member

LONGEST_LOGIN = 254


class SignInForm(LoginForm):  # type: ignore[misc]  # allauth has no types
    """allauth's own, with labels of ours in place of its placeholders and its link to a reset that is not offered."""

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


class InvitationForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's class takes none at run time
    class Meta:
        model = Invitation
        fields = ("name", "email", "role")
        help_texts = {
            "email": _("Optional. It can be used to sign in, as the user name can. Nothing is sent to it."),
        }

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        if email and Member.objects.filter(email=email).exists():
            raise forms.ValidationError(_("A member has this e-mail address already."))
        return email


class AcceptForm(BaseUserCreationForm):  # type: ignore[type-arg]
    """User name and password of somebody who was invited."""

    class Meta:
        model = Member
        fields = ("username",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs.update(
            {"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
        )
        self.fields["password2"].label = _("Password, once more")
        self.fields["password2"].help_text = ""

    def validate_password_for_user(self, user: Member, **_options: Any) -> None:
        """What is wrong is said beside the password itself; Django would say it beside the second one."""
        super().validate_password_for_user(user, password_field_name="password1")  # type: ignore[misc]  # noqa: S106


class RoleForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Member
        fields = ("role",)
        widgets = {"role": forms.RadioSelect}


class PreferencesForm(forms.ModelForm):  # type: ignore[type-arg]
    time_zone = forms.ChoiceField(label=_("Time zone"), help_text=_("All times are shown in it."))

    class Meta:
        model = Member
        fields = ("theme", "time_zone")
        widgets = {"theme": forms.RadioSelect}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = list_time_zones()
        field = self.fields["time_zone"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = [(zone, zone.replace("_", " ")) for zone in zones]


@lru_cache(maxsize=1)
def list_time_zones() -> tuple[str, ...]:
    """UTC, then the places that this machine's time zone data knows."""
    places = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/")))
    return ("UTC", *places)
