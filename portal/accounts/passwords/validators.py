"""A password validator for words that are easy to guess here, in addition to Django's validators."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

LEAST_REST = 8


class OwnWordsValidator:
    """Without the words in `PASSWORD_WORDS`, a password must still have eight characters."""

    def validate(self, password: str, user: object = None) -> None:
        del user
        rest = password.lower()
        for word in settings.PASSWORD_WORDS:
            rest = rest.replace(word.lower(), "")
        if len(rest) < LEAST_REST:
            raise ValidationError(_("This password is too easy to guess."), code="password_of_own_words")

    def get_help_text(self) -> str:
        return _("Your password can't consist mainly of words that are easy to guess here, such as the portal's name.")
