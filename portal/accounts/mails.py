"""Sends e-mails to members, in a thread: reset links that they requested, and notices about their account."""

from threading import Thread

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext

from portal.accounts.models import Member

log = structlog.get_logger(__name__)


def write(member: Member, link: str) -> EmailMessage:
    """The password reset link, for the member who requested it."""
    text = render_to_string("accounts/password_mail.txt", {"member": member, "link": link})
    return EmailMessage(
        gettext("Reset your ByCloud Portal password"), text, settings.DEFAULT_FROM_EMAIL, [member.email]
    )


def send(mail: EmailMessage) -> None:
    Thread(target=_deliver, args=(mail,), name="mail").start()


def notify(member: Member, action: str, *, by: Member | None) -> None:
    """Notify the member, in their language, of a change to their account. Does nothing without an e-mail server or
    address.

    `action` is the name of an audit action. `by` is None for the command line.
    """
    if not (settings.EMAIL_URL and member.email):
        return
    with translation.override(member.language or settings.LANGUAGE_CODE):
        text = render_to_string("accounts/notice_mail.txt", {"member": member, "act": action, "by": by})
        subject = gettext("Your account at ByCloud Portal")
    send(EmailMessage(subject, text, settings.DEFAULT_FROM_EMAIL, [member.email]))


def _deliver(mail: EmailMessage) -> None:
    try:
        mail.send()
    except OSError as error:
        log.warning("mail_not_sent", error=type(error).__name__)
