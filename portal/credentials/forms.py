"""The credential form. It never renders a secret again, not even with an error."""

import re
from datetime import date
from typing import Any

from django import forms
from django.contrib.auth.hashers import check_password
from django.core.validators import MaxValueValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from portal import bycloud
from portal.accounts.models import Member
from portal.credentials.models import Kind

MAX_LENGTH = 8192

# For password managers that ignore `autocomplete`; each has its own attribute to be turned off.
_PLAIN = {
    "autocomplete": "off",
    "autocapitalize": "none",
    "spellcheck": "false",
    "data-1p-ignore": True,
    "data-bwignore": True,
    "data-lpignore": "true",
    "data-form-type": "other",
}
_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MISSING = {
    "token": _("Enter a token, or choose the API key pair."),
    "access_key_id": _("Enter an access key ID, or choose the bearer token."),
    "secret_access_key": _("Enter the secret access key."),
}
_FIELDS_OF = {Kind.BEARER: ("token",), Kind.API_KEY: ("access_key_id", "secret_access_key")}


class SecretInput(forms.PasswordInput):
    """An input for a secret of another system.

    Password managers would fill a `password` input with the member's portal password, whatever its attributes. So it is
    a text input that the style sheet masks.
    """

    input_type = "text"

    def __init__(self) -> None:
        super().__init__(attrs=_PLAIN | {"class": "secret"})


class CredentialForm(forms.Form):
    """The kind, and the fields of that kind; the other fields are ignored. If valid, `credential` has the value.

    The fields have no `required` attribute, because only one group is used; `clean` checks them.
    """

    kind = forms.ChoiceField(label=_("Kind"), choices=Kind.choices, initial=Kind.BEARER, widget=forms.RadioSelect)
    token = forms.CharField(
        label=_("Access token"),
        required=False,
        widget=SecretInput,
        help_text=_("Without the word “Bearer”."),
    )
    access_key_id = forms.CharField(
        label=_("Access key ID"),
        required=False,
        widget=forms.TextInput(attrs=_PLAIN),
        help_text=_("For example AKIA550E8400E29B41D4."),
    )
    secret_access_key = forms.CharField(
        label=_("Secret access key"),
        required=False,
        widget=SecretInput,
        help_text=_("Shown once by ByCloud, when the key is created."),
    )

    expires_on = forms.DateField(
        label=_("Expires on (optional)"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
        error_messages={"invalid": _("Use the format 2026-11-23.")},
        validators=[MaxValueValidator(date(2999, 12, 31), _("This date is too far in the future."))],
        help_text=_("The last day it is valid. The portal warns you before it expires."),
    )

    credential: bycloud.Credential | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        # A prefix for the ids: pages may contain other forms, too.
        super().__init__(*args, **{"auto_id": "credential_%s", **options})

    def clean_expires_on(self) -> date | None:
        day: date | None = self.cleaned_data["expires_on"]
        if day and day < timezone.localdate():
            raise forms.ValidationError(_("This date is in the past."))
        return day

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        kind = self.cleaned_data.get("kind")
        if kind:
            self._check_fields_of(Kind(kind))
        if kind and not self.errors:
            self._make_credential(Kind(kind))
        if self.errors:
            self._forget_odd_key_id()
        return self.cleaned_data

    @sensitive_variables()
    def refuse_password_of(self, member: Member) -> bool:
        """Whether a field contains the member's portal password, alone or after `name:`. Adds an error to that field.

        Hashes the password, so call it once, and before anything is sent or stored.
        """
        for name in _FIELDS_OF[Kind(self.cleaned_data["kind"])]:
            texts = {self.cleaned_data[name], self.data.get(self.add_prefix(name), "")}
            texts |= {text.partition(":")[2] for text in texts}
            # `member.check_password` may save a rehashed password, which would end this session.
            if any(check_password(text, member.password) for text in texts if text):
                self.add_error(name, _("This is your password for the portal. Nothing was sent or saved."))
                self.data = {key: value for key, value in self.data.items() if key != self.add_prefix(name)}
                return True
        return False

    def refuse(self, sentence: str) -> None:
        """Add ByCloud's error to the field with the secret."""
        self.add_error(_FIELDS_OF[Kind(self.cleaned_data["kind"])][-1], sentence)

    def _check_fields_of(self, kind: Kind) -> None:
        for other in set(Kind) - {kind}:
            for name in _FIELDS_OF[other]:
                self.errors.pop(name, None)
        for name in _FIELDS_OF[kind]:
            if name not in self.errors:
                self._check_text(name, self.cleaned_data[name])

    @sensitive_variables()
    def _make_credential(self, kind: Kind) -> None:
        texts = [self.cleaned_data[name] for name in _FIELDS_OF[kind]]
        self.credential = bycloud.BearerToken(*texts) if kind == Kind.BEARER else bycloud.ApiKey(*texts)

    def _forget_odd_key_id(self) -> None:
        """Render the access key ID again only if it is valid, because people paste the whole pair there."""
        name = self.add_prefix("access_key_id")
        if not _KEY_ID.fullmatch(self.data.get(name, "").strip()):
            self.data = {key: value for key, value in self.data.items() if key != name}

    @sensitive_variables()
    def _check_text(self, name: str, text: str) -> None:
        # The same checks as in the credentials' constructors, with translated messages.
        if not text:
            self.add_error(name, _MISSING[name])
        elif len(text) > MAX_LENGTH:
            self.add_error(name, _("This is longer than %(most)s characters.") % {"most": MAX_LENGTH})
        elif name == "access_key_id" and ":" in text:
            self.add_error(
                name, _("An access key ID contains no colon. Enter the part after it as the secret access key.")
            )
        elif not all("!" <= character <= "~" for character in text):
            self.add_error(name, _("Use ASCII letters, digits and symbols only, without spaces or line breaks."))
