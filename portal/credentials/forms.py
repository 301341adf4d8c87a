"""The form that takes a credential. It never shows a secret again, not even beside an error."""

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

# What password managers read that do not heed `autocomplete`: each has a word of its own for "no login of this site".
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
    """A secret of another system. Of the type `password` it would be filled in with the password saved for the portal,
    whatever it asks of the browser; so it is text that the style sheet hides.
    """

    input_type = "text"

    def __init__(self) -> None:
        super().__init__(attrs=_PLAIN | {"class": "secret"})


class CredentialForm(forms.Form):
    """Which kind, and that kind's fields; the other kind's are not looked at. Valid: `credential` holds the value.

    The fields are not `required` for the browser, as only one group counts; `clean` asks for those that do.
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
        # Ids of its own: the form also stands on pages that have other forms.
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
        """Whether one of the texts is this member's password for the portal, alone or behind `name:`. It is refused
        beside its field. Hashes: to be called once, and before anything is sent or stored.
        """
        for name in _FIELDS_OF[Kind(self.cleaned_data["kind"])]:
            texts = {self.cleaned_data[name], self.data.get(self.add_prefix(name), "")}
            texts |= {text.partition(":")[2] for text in texts}
            # Not the member's own method, which may save the password hashed anew, and so end this session.
            if any(check_password(text, member.password) for text in texts if text):
                self.add_error(name, _("This is your password for the portal. Nothing was sent or saved."))
                self.data = {key: value for key, value in self.data.items() if key != self.add_prefix(name)}
                return True
        return False

    def refuse(self, sentence: str) -> None:
        """Put ByCloud's refusal beside the field that holds the secret."""
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
        """Let the access key id be shown again only if it can be one: people paste the whole pair there."""
        name = self.add_prefix("access_key_id")
        if not _KEY_ID.fullmatch(self.data.get(name, "").strip()):
            self.data = {key: value for key, value in self.data.items() if key != name}

    @sensitive_variables()
    def _check_text(self, name: str, text: str) -> None:
        # What the credentials' constructors refuse, in words that can be translated.
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
