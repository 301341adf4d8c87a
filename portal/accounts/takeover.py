"""Tells other apps that another person may sign in as a member from now on. Who has kept something for the member alone
connects to the signal.
"""

from django.db import models
from django.dispatch import Signal


class Takeover(models.TextChoices):
    """What another person may have used. The labels are for the audit, in English as all of it."""

    PASSWORD = "password", "a password set through a link"
    SECOND_FACTOR = "second-factor", "a second factor reset"
    SINGLE_SIGN_ON = "single-sign-on", "an account linked to single sign-on"


# Sent within the transaction, with `member`, `why` (a `Takeover`), `by` (who did it, or None) and `request` (or None).
may_be_taken_over = Signal()
