"""How fields, their hints and their errors are rendered."""

from html.parser import HTMLParser

from django import forms


class SampleForm(forms.Form):
    name = forms.CharField(label="Name", help_text="web-* is a prefix")
    size = forms.ChoiceField(label="Size", choices=[("s", "Small"), ("l", "Large")], widget=forms.RadioSelect)
    agreed = forms.BooleanField(label="Agreed", required=False)

    def clean(self) -> None:
        raise forms.ValidationError("<b>These do not go together</b>")


class Elements(HTMLParser):
    """Every element with its attributes, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def attributes_of(self, id_: str) -> dict[str, str | None]:
        return next(attributes for _, attributes in self.found if attributes.get("id") == id_)

    def tags(self) -> list[str]:
        return [tag for tag, _ in self.found]


def test_a_field_is_described_by_its_hint_and_its_error() -> None:
    html = SampleForm({})["name"].as_field_group()
    elements = Elements(html)
    field = elements.attributes_of("id_name")
    assert field["aria-invalid"] == "true"
    described_by = str(field["aria-describedby"]).split()
    assert described_by == ["id_name_helptext", "id_name_error"]
    for id_ in described_by:
        assert elements.attributes_of(id_)
    assert elements.attributes_of("id_name_error")["class"] == "error errorlist"
    assert 'class="field has-error"' in html


def test_a_field_without_an_error_says_nothing_of_one() -> None:
    html = SampleForm()["name"].as_field_group()
    assert "error" not in html
    assert '<label for="id_name">Name</label>' in html


def test_choices_stand_in_a_group_with_a_legend() -> None:
    elements = Elements(SampleForm()["size"].as_field_group())
    assert elements.tags()[:3] == ["div", "fieldset", "legend"]


def test_a_box_comes_before_its_words() -> None:
    tags = Elements(SampleForm()["agreed"].as_field_group()).tags()
    assert tags.index("input") < tags.index("label")


def test_what_is_wrong_with_the_whole_form_is_an_alert_and_is_escaped() -> None:
    html = str(SampleForm({"name": "web"}).non_field_errors())
    assert '<div class="alert alert-error" role="alert">' in html
    assert "&lt;b&gt;These do not go together" in html
    assert "<b>" not in html
