from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "portal.accounts"
    verbose_name = _("Team")

    def ready(self) -> None:
        # Connect the signal receivers.
        from portal.accounts.mfa import encryption  # noqa: F401, PLC0415 -- models are there only now
        from portal.accounts.sessions import services as sessions  # noqa: F401, PLC0415 -- models are there only now
