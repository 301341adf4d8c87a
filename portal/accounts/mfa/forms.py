"""Forms for two-factor authentication and reauthentication: allauth's, with the portal's labels and limits.

The libraries that decode a browser's passkey data fail in many ways. Every failure becomes a validation error.
"""

from collections.abc import Callable
from typing import Any

import structlog
from allauth.account.forms import ReauthenticateForm
from allauth.core import context
from allauth.mfa.base import forms as code_forms
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.utils import encrypt
from allauth.mfa.webauthn import forms as passkey_forms
from django import forms
from django.utils.translation import gettext_lazy as _

from portal.accounts.adapter import may_sign_in_here
from portal.accounts.allauth_internals import SECRET_SESSION_KEY, get_state
from portal.accounts.mfa.services import suggest_name
from portal.accounts.models import Member
from portal.audit.models import Action
from portal.audit.services import record_event
from portal.core.crypto import CryptoError, decrypt_text, encrypt_text

log = structlog.get_logger(__name__)

LONGEST_CODE = 32
LONGEST_NAME = 60
LONGEST_PASSKEY = 20_000
_NOT_ACCEPTED = _("This passkey was not accepted. Try again, or use another method.")


def _code_input(*, numeric: bool) -> forms.TextInput:
    attrs = {"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}
    return forms.TextInput(attrs=attrs | ({"inputmode": "numeric"} if numeric else {}))


def _any_code() -> forms.CharField:
    return forms.CharField(
        label=_("Code"),
        help_text=_("The 6-digit code from your authenticator app, or a recovery code."),
        max_length=LONGEST_CODE,
        widget=_code_input(numeric=True),
    )


class CodeForm(code_forms.AuthenticateForm):  # type: ignore[misc]  # allauth has no types
    code = _any_code()

    def clean_code(self) -> str:
        return _open_or_refuse(super().clean_code)


class CodeAgainForm(code_forms.ReauthenticateForm):  # type: ignore[misc]
    code = _any_code()

    def clean_code(self) -> str:
        return _open_or_refuse(super().clean_code)


class PasswordAgainForm(ReauthenticateForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].widget.attrs.pop("placeholder")
        self.fields["password"].help_text = ""


class AppForm(ActivateTOTPForm):  # type: ignore[misc]
    """The first code of an authenticator app, which proves that it has the secret.

    Until then, allauth stores the secret in the session. Here, it is encrypted there.
    """

    code = forms.CharField(
        label=_("Code"),
        help_text=_("The 6-digit code shown in the app."),
        max_length=LONGEST_CODE,
        widget=_code_input(numeric=True),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        purpose = f"authenticator app of {self.user.pk}"
        try:
            self.secret: str = decrypt_text(self.secret, purpose=purpose)
        except CryptoError:
            # A new one.
            context.request.session[SECRET_SESSION_KEY] = encrypt_text(self.secret, purpose=purpose)

    def clean_code(self) -> str:
        code: str = super().clean_code()
        # Checked again as at sign-in, so that the same code is not accepted there.
        app = Authenticator(user=self.user, type=Authenticator.Type.TOTP, data={"secret": encrypt(self.secret)})
        app.wrap().validate_code(code)
        return code


class PasskeyField(forms.JSONField):
    """Passkey data from the browser, as JSON. Limits the length; nesting that is too deep and numbers that are too long
    are invalid.
    """

    default_error_messages = {"invalid": _NOT_ACCEPTED}

    def __init__(self) -> None:
        super().__init__(widget=forms.HiddenInput)

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value if len(value or "") <= LONGEST_PASSKEY else "{")
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(_NOT_ACCEPTED) from error

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Don't render the value again: it can be used only once."""
        del data
        return initial


class PasskeyForm(passkey_forms.AuthenticateWebAuthnForm):  # type: ignore[misc]
    """A passkey as the second factor, after the password."""

    credential = PasskeyField()

    def clean_credential(self) -> Authenticator:
        authenticator: Authenticator = _refuse_unless_good(super().clean_credential, member=self.user)
        return authenticator


class PasskeyAgainForm(PasskeyForm):
    reauthenticated = True


class PasskeySignInForm(passkey_forms.LoginWebAuthnForm):  # type: ignore[misc]
    """A passkey instead of user name and password. It must be set up for that and must have verified the user."""

    credential = PasskeyField()

    def clean_credential(self) -> Authenticator:
        # The session has one challenge for all purposes. Without this check, a challenge without user verification
        # would do.
        is_asked_who = (get_state() or {}).get("user_verification") == "required"
        authenticator: Authenticator = _refuse_unless_good(super().clean_credential, member=None)
        member = authenticator.user
        is_good = is_asked_who and _may_be_used_alone(authenticator)
        if not (is_good and member.is_active and may_sign_in_here(member)):
            record_event(Action.SECOND_FACTOR_FAILED, request=context.request, member=member, subject="passkey")
            raise forms.ValidationError(_NOT_ACCEPTED)
        return authenticator


class AddPasskeyForm(passkey_forms.AddWebAuthnForm):  # type: ignore[misc]
    credential = PasskeyField()
    name = forms.CharField(
        label=_("Name"),
        help_text=_("For example, the device it is on."),
        required=False,
        max_length=LONGEST_NAME,
    )
    passwordless = forms.BooleanField(
        label=_("Passwordless sign-in with this passkey"),
        help_text=_(
            "You confirm with your fingerprint, face or PIN each time. Otherwise the passkey "
            "is used after your password."
        ),
        required=False,
        initial=True,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {})["name"] = suggest_name(kwargs["user"])
        super().__init__(*args, **kwargs)

    def clean_name(self) -> str:
        return self.cleaned_data["name"] or suggest_name(self.user)

    def clean(self) -> dict[str, Any]:
        # No existing second factor was rejected, so there is nothing to record.
        cleaned: dict[str, Any] = _refuse_unless_good(super().clean, member=None, is_on_record=False)
        return cleaned


class RenamePasskeyForm(passkey_forms.EditWebAuthnForm):  # type: ignore[misc]
    name = forms.CharField(label=_("Name"), max_length=LONGEST_NAME)


def _may_be_used_alone(passkey: Authenticator) -> bool:
    """Whether the passkey verified the user when it was set up and is discoverable, as far as the browser reported."""
    key = passkey.wrap()
    return key.authenticator_data.is_user_verified() and key.is_passwordless is not False


def _open_or_refuse(read: Callable[[], str]) -> str:
    """Return the code, or a validation error if the stored secret can't be decrypted."""
    try:
        return read()
    except CryptoError as error:
        text = _("Your two-factor authentication can't be read. An admin of your team can reset it.")
        raise forms.ValidationError(text) from error


def _refuse_unless_good(read: Callable[[], Any], *, member: Member | None, is_on_record: bool = True) -> Any:
    """Return the result of `read`. Any error with the passkey becomes the same validation error."""
    try:
        return read()
    except forms.ValidationError as error:
        if any(problem.code == "too_many_login_attempts" for problem in error.error_list):
            raise
        problem = forms.ValidationError(_NOT_ACCEPTED)
    except Exception as error:  # noqa: BLE001 -- see the module's first lines
        log.warning("passkey_unreadable", error=type(error).__name__)
        problem = forms.ValidationError(_NOT_ACCEPTED)
    if is_on_record:
        record_event(Action.SECOND_FACTOR_FAILED, request=context.request, member=member, subject="passkey")
    raise problem
