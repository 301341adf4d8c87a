"""The filter form, as it is shown. filters.py reads what it sends; this only lays out fields, texts and problems."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.instances.catalog import Seen
from portal.instances.filters import DEFAULT_LIMIT, LONGEST, Reading, find_name

_PLAIN = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}


def _text(label: Any, parameter: str, *, suggestions: str = "", hint: Any = "") -> forms.Field:
    attributes = {**_PLAIN, "maxlength": LONGEST[parameter]} | ({"list": suggestions} if suggestions else {})
    return forms.Field(label=label, required=False, help_text=hint, widget=forms.TextInput(attributes))


class FilterForm(forms.Form):
    """The five filters. `limit` and `marker` have fields only while something is wrong with them."""

    name = _text(_("Name"), "name", hint=_("web-* finds names that begin with web-; web alone is exact."))
    status = _text(_("Status"), "status", suggestions="known-statuses")
    tags = _text(_("Tags"), "tags", suggestions="known-tags", hint=_("Commas between several."))
    flavor_id = _text(_("Flavor"), "flavor_id", suggestions="known-flavors", hint=_("A name seen so far, or an id."))
    image_id = _text(_("Image"), "image_id", suggestions="known-images", hint=_("A name seen so far, or an id."))
    limit = forms.Field(label=_("Rows per page"), required=False, widget=forms.TextInput({**_PLAIN, "size": 4}))
    marker = forms.Field(label=_("Begins after"), required=False, widget=forms.TextInput(_PLAIN))


def build_form(reading: Reading, *, seen: Seen) -> FilterForm:
    """The form filled in with what was asked: names for known ids, and the texts as typed where they were refused."""
    form = FilterForm(_texts(reading, seen))
    if "marker" not in reading.problems:
        del form.fields["marker"]
    if "limit" not in reading.problems:
        form.fields["limit"].widget = forms.HiddenInput()
        if form.data["limit"] in {"", str(DEFAULT_LIMIT)}:
            del form.fields["limit"]
    for parameter, problem in reading.problems.items():
        form.add_error(parameter, problem)
    return form


def _texts(reading: Reading, seen: Seen) -> dict[str, str]:
    query = reading.query
    if query is None:
        return dict(reading.typed)
    texts = dict(query.to_parameters())
    for parameter, named in (("flavor_id", seen.flavors), ("image_id", seen.images)):
        if parameter in texts:
            texts[parameter] = find_name(named, texts[parameter]) or texts[parameter]
    texts.setdefault("limit", "")
    return texts
