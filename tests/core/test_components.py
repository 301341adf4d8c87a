"""The template components, and the page that shows all of them."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template import engines
from django.test import Client
from django.urls import include, path

import portal.urls
from portal.site import development

TEMPLATES = Path(settings.BASE_DIR) / "templates"
NAMES = set(re.findall(r"{% macro (\w+)", (TEMPLATES / "components.html").read_text(encoding="utf-8")))
# What only components are made of, and what Django renders form fields with.
INNER = {"field", "pager_step"}
HOSTILE = "\"><script>alert('1')</script>"

# What portal/urls.py holds while DEBUG is on.
urlpatterns = [path("", include(portal.urls.urlpatterns)), *development.urlpatterns]


def render(source: str, **values: object) -> str:
    return engines["jinja2"].from_string(source).render(values).strip()


@pytest.mark.urls(__name__)
def test_the_component_page_shows_every_component(client: Client) -> None:
    response = client.get("/components/")
    assert response.status_code == 200
    page = (TEMPLATES / "development" / "components.html").read_text(encoding="utf-8")
    assert NAMES - INNER - set(re.findall(r"ui\.(\w+)", page)) == set()


def test_the_component_page_exists_in_development_only(client: Client) -> None:
    assert client.get("/components/").status_code == 404


def test_a_component_sees_nothing_of_the_page_but_what_it_is_given() -> None:
    assert "elsewhere" not in render('{{ ui.alert(text="here") }}', title="elsewhere")


def test_attributes_are_handed_on_and_escaped_and_empty_ones_are_left_out() -> None:
    html = render("{{ ui.button(label=word, hx_get=word, data_merge=true, data_zero=0) }}", word=HOSTILE)
    assert 'hx-get="&#34;' in html
    assert "<script>" not in html
    assert ' data-merge data-zero="0">' in html
    sentence = "{% set words %}{% trans %}Role of {{ word }}{% endtrans %}{% endset %}"
    assert 'aria-label="Role of &lt;b&gt;"' in render(sentence + '{{ ui.button("Go", aria_label=words) }}', word="<b>")
    with pytest.raises(TypeError, match="no component takes lable"):
        render('{{ ui.button("Go", lable="Go") }}')
    assert " data-" not in render('{{ ui.button(label="Go", data_a=none, data_b=false, data_c="") }}')


@pytest.mark.parametrize(
    ("given", "element"),
    [
        ('href="/a/"', '<a class="button" href="/a/">Go</a>'),
        ("is_off=true", '<span class="button" aria-disabled="true">Go</span>'),
        ('name="size", value="s"', '<button type="submit" class="button" name="size" value="s">Go</button>'),
        ('kind="primary"', '<button type="submit" class="button primary">Go</button>'),
        ('type="button", is_disabled=true', '<button type="button" class="button" disabled>Go</button>'),
    ],
)
def test_a_button_is_the_element_that_fits_what_it_does(given: str, element: str) -> None:
    assert render(f'{{{{ ui.button("Go", {given}) }}}}') == element


def test_what_stands_between_is_wrapped_as_it_is_and_a_slot_takes_more() -> None:
    html = render(
        '{% set actions %}<a href="/all/">All</a>{% endset %}'
        '{% call ui.panel(id="keys", title=title, actions=actions) %}<p>{{ title }}</p>{% endcall %}',
        title="<Keys>",
    )
    assert '<section id="keys" class="panel" aria-labelledby="keys-title">' in html
    assert '<h2 id="keys-title">&lt;Keys&gt;</h2><a href="/all/">All</a>' in html
    assert "<p>&lt;Keys&gt;</p>" in html


def test_a_pager_has_no_link_where_there_is_nothing() -> None:
    html = render(
        '{{ ui.pager("1 to 2", first="F", first_url="", previous="P", previous_url="", next="N", next_url="?n",'
        ' swap="outerHTML") }}'
    )
    assert html.count('aria-disabled="true"') == 2
    assert 'href="?n" rel="next" hx-get="?n" hx-swap="outerHTML"' in html
    assert "Rows per page" not in html


def test_a_state_is_a_tone_and_a_word_and_is_escaped() -> None:
    assert render('{{ ui.status("ok", "Active") }}') == '<span class="status status-ok"><bdi>Active</bdi></span>'
    assert "<script>" not in render('{{ ui.status("ok", word, "check") }}', word=HOSTILE)


def test_a_tag_is_a_link_where_it_leads_somewhere() -> None:
    assert render('{{ ui.tag("web") }}') == '<span class="tag"><bdi>web</bdi></span>'
    assert render('{{ ui.tag("web", "?tags=web") }}') == '<a class="tag" href="?tags=web"><bdi>web</bdi></a>'
    assert "<script>" not in render("{{ ui.tag(word, word) }}", word=HOSTILE)


# What a component is known by; elsewhere it would be a second copy. Rows and filters are flat, see docs/interface.md.
MARKUP = re.compile(
    r'class="(?:active-filter|alert|button|dialog|empty|facts|field|gauge|menu|panel|pager|status|table-scroll|tag|toast)'
    r'[ "]'
)
# Tables with a link or a ready text in each state.
FLAT = {"instances/_filters.html", "instances/_table.html", "overview/_overview.html"}


def test_no_page_has_a_copy_of_a_component() -> None:
    copies = {
        path.relative_to(TEMPLATES).as_posix(): MARKUP.findall(path.read_text(encoding="utf-8"))
        for path in TEMPLATES.rglob("*.html")
        if path.name != "components.html"
    }
    assert {path for path, found in copies.items() if found} <= FLAT


def test_the_documents_name_every_component() -> None:
    text = (TEMPLATES.parent / "docs" / "interface.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(\w+)`", text)) >= NAMES
