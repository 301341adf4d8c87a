from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "portal.accounts"
    verbose_name = _("Team")

    def ready(self) -> None:
        # What hears of each sign-in, and of each second factor that is read.
        from portal.accounts import signals  # noqa: F401, PLC0415 -- models are there only now
        from portal.accounts.mfa import encryption  # noqa: F401, PLC0415 -- models are there only now
        from portal.accounts.sessions import services as sessions  # noqa: F401, PLC0415 -- models are there only now
