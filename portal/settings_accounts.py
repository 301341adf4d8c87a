"""The settings of sign-in that depend on no environment; settings.py includes them."""

from datetime import timedelta

AUTH_USER_MODEL = "accounts.Member"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["portal.accounts.hashers.PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "portal.accounts.passwords.validators.OwnWordsValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "portal.accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "portal.accounts.forms.SignInForm",
    "reauthenticate": "portal.accounts.mfa.forms.PasswordAgainForm",
}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_RATE_LIMITS = {
    "login_failed": "10/5m/ip,5/5m/key",
    "login_failed_of_account": "5/5m/key",
    "reset_password": "10/5m/ip,3/1h/key",
    # Far above what a person needs: form submissions, credential submissions that are compared with the member's
    # password, and files of all instances.
    "act": "120/m/user",
    "credential": "10/m/user",
    "export": "10/m/user",
}
PASSWORD_RESET_TIMEOUT = 60 * 60
INVITATION_LIFETIME = timedelta(days=3)

# Two-factor authentication

MFA_ADAPTER = "portal.accounts.adapter.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
# E-mail addresses are not verified and never create an account.
MFA_ALLOW_UNVERIFIED_EMAIL = True
# A code is valid only in its own 30 seconds: allauth does not remember used codes any longer than that.
MFA_TOTP_TOLERANCE = 0
MFA_FORMS = {
    "authenticate": "portal.accounts.mfa.forms.CodeForm",
    "authenticate_webauthn": "portal.accounts.mfa.forms.PasskeyForm",
    "reauthenticate": "portal.accounts.mfa.forms.CodeAgainForm",
    "reauthenticate_webauthn": "portal.accounts.mfa.forms.PasskeyAgainForm",
    "login_webauthn": "portal.accounts.mfa.forms.PasskeySignInForm",
    "activate_totp": "portal.accounts.mfa.forms.AppForm",
    "add_webauthn": "portal.accounts.mfa.forms.AddPasskeyForm",
    "edit_webauthn": "portal.accounts.mfa.forms.RenamePasskeyForm",
}

# Single sign-on

SOCIALACCOUNT_ADAPTER = "portal.accounts.adapter.ProviderAdapter"
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
