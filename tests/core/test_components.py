"""The template components, and the page that shows all of them."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template import Context, Engine, Template
from django.test import Client
from django.urls import include, path

import portal.urls
from portal.site import development

COMPONENTS = Path(settings.BASE_DIR) / "templates" / "components"
HOSTILE = "\"><script>alert('1')</script>"

# What portal/urls.py holds while DEBUG is on.
urlpatterns = [path("", include(portal.urls.urlpatterns)), *development.urlpatterns]


def render(source: str, **values: object) -> str:
    return Template(source, engine=Engine.get_default()).render(Context(values)).strip()


@pytest.mark.urls(__name__)
def test_the_component_page_shows_every_component(client: Client) -> None:
    response = client.get("/components/")
    assert response.status_code == 200
    shown = {str(template.name).removeprefix("components/") for template in response.templates}
    assert {path.name for path in COMPONENTS.iterdir()} - shown == set()


def test_the_component_page_exists_in_development_only(client: Client) -> None:
    assert client.get("/components/").status_code == 404


def test_a_component_sees_nothing_of_the_page_but_what_it_is_given() -> None:
    assert "elsewhere" not in render('{% component "alert" text="here" %}', title="elsewhere")


def test_attributes_are_handed_on_and_escaped_and_empty_ones_are_left_out() -> None:
    html = render('{% component "button" label=word hx_get=word data_merge=True data_zero=0 %}', word=HOSTILE)
    assert 'hx-get="&quot;' in html
    assert "<script>" not in html
    assert ' data-merge data-zero="0">' in html
    sentence = "{% blocktranslate asvar words %}Role of {{ word }}{% endblocktranslate %}"
    assert 'aria-label="Role of &lt;b&gt;"' in render(
        sentence + '{% component "button" label="Go" aria_label=words %}', word="<b>"
    )
    assert " data-" not in render('{% component "button" label="Go" data_a=None data_b=False data_c=absent %}')


@pytest.mark.parametrize(
    ("given", "element"),
    [
        ('href="/a/"', '<a class="button" href="/a/">Go</a>'),
        ("is_off=True", '<span class="button" aria-disabled="true">Go</span>'),
        ('name="size" value="s"', '<button type="submit" class="button" name="size" value="s">Go</button>'),
        ('kind="primary"', '<button type="submit" class="button primary">Go</button>'),
        ('type="button" is_disabled=True', '<button type="button" class="button" disabled>Go</button>'),
    ],
)
def test_a_button_is_the_element_that_fits_what_it_does(given: str, element: str) -> None:
    assert render(f'{{% component "button" label="Go" {given} %}}') == element


def test_what_stands_between_is_wrapped_as_it_is_and_a_slot_takes_more() -> None:
    html = render(
        '{% slot as actions %}<a href="/all/">All</a>{% endslot %}'
        '{% wrap "panel" id="keys" title=title actions=actions %}<p>{{ title }}</p>{% endwrap %}',
        title="<Keys>",
    )
    assert '<section id="keys" class="panel" aria-labelledby="keys-title">' in html
    assert '<h2 id="keys-title">&lt;Keys&gt;</h2><a href="/all/">All</a>' in html
    assert "<p>&lt;Keys&gt;</p>" in html


def test_a_pager_has_no_link_where_there_is_nothing() -> None:
    html = render(
        '{% component "pager" range="1 to 2" first="F" previous="P" next="N" next_url="?n" swap="outerHTML" %}'
    )
    assert html.count('aria-disabled="true"') == 2
    assert 'href="?n" rel="next" hx-get="?n" hx-swap="outerHTML"' in html
    assert "Rows per page" not in html


def test_a_state_is_a_tone_and_a_word_and_is_escaped() -> None:
    assert render('{% status "ok" "Active" %}') == '<span class="status status-ok"><bdi>Active</bdi></span>'
    assert "<script>" not in render('{% status "ok" word "check" %}', word=HOSTILE)


def test_a_tag_is_a_link_where_it_leads_somewhere() -> None:
    assert render('{% tag "web" %}') == '<span class="tag"><bdi>web</bdi></span>'
    assert render('{% tag "web" "?tags=web" %}') == '<a class="tag" href="?tags=web"><bdi>web</bdi></a>'
    assert 'hx-get="?tags=web"' in render('{% tag "web" "?tags=web" swaps=True %}')
    assert "<script>" not in render("{% tag word word swaps=True %}", word=HOSTILE)


# What a component is known by; elsewhere it would be a second copy. Rows and filters are flat, see docs/interface.md.
MARKUP = re.compile(
    r'class="(?:alert|button|dialog|empty|facts|field|gauge|menu|panel|pager|status|table-scroll|tag|toast|token)[ "]'
)
FLAT = {"instances/_filters.html"}


def test_no_page_has_a_copy_of_a_component() -> None:
    templates = COMPONENTS.parent
    copies = {
        path.relative_to(templates).as_posix(): MARKUP.findall(path.read_text(encoding="utf-8"))
        for path in templates.rglob("*.html")
        if path.parent != COMPONENTS
    }
    assert {path for path, found in copies.items() if found} <= FLAT


def test_the_documents_name_every_component() -> None:
    text = (COMPONENTS.parent.parent / "docs" / "interface.md").read_text(encoding="utf-8")
    assert {path.stem[1:] for path in COMPONENTS.iterdir()} <= set(re.findall(r"`(\w+)`", text))
