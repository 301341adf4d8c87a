"""A signal for other apps: another person may be able to sign in as this member from now on. Apps that store something
for the member only should connect to it.
"""

from django.db import models
from django.dispatch import Signal


class Takeover(models.TextChoices):
    """The reason. The labels are for the audit, which is in English."""

    PASSWORD = "password", "a password set through a link"
    SECOND_FACTOR = "second-factor", "a second factor reset"
    SINGLE_SIGN_ON = "single-sign-on", "an account linked to single sign-on"


# Sent within the transaction, with `member`, `why` (a `Takeover`), `by` (the admin, or None) and `request` (or None).
may_be_taken_over = Signal()
