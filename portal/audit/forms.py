"""The filters of the audit page, from its query string."""

from datetime import date, datetime, time
from functools import partial
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.audit.models import Action, Event

PAGE_SIZE = 50
FILTERS = ("member", "act", "since", "until")
LARGEST_ID = 2**63 - 1


# The limits keep the start and end of a day within datetime's range in every time zone.
_DayField = partial(
    forms.DateField,
    required=False,
    widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    input_formats=["%Y-%m-%d"],
    error_messages={"invalid": _("Use the format 2026-11-23.")},
    validators=[MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2999, 12, 31))],
)


class EventFilter(forms.Form):
    """Member, action and dates, in the member's time zone. `before` and `after` are event ids."""

    member = forms.CharField(label=_("Who"), required=False, max_length=150)
    act = forms.ChoiceField(label=_("What"), required=False, choices=[("", _("All actions")), *Action.choices])
    since = _DayField(label=_("From"))
    until = _DayField(label=_("To"))
    before = forms.IntegerField(required=False, min_value=1, max_value=LARGEST_ID, widget=forms.HiddenInput)
    after = forms.IntegerField(required=False, min_value=0, max_value=LARGEST_ID, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", _("The end date is before the start date."))
        return cleaned

    def select(self) -> QuerySet[Event]:
        """The matching events, newest first, without pagination. The form must be valid."""
        asked = self.cleaned_data
        events = Event.objects.all()
        if asked["member"]:
            events = events.filter(name__iexact=asked["member"])
        if asked["act"]:
            events = events.filter(act=asked["act"])
        if asked["since"]:
            events = events.filter(at__gte=timezone.make_aware(datetime.combine(asked["since"], time.min)))
        if asked["until"]:
            events = events.filter(at__lte=timezone.make_aware(datetime.combine(asked["until"], time.max)))
        return events
