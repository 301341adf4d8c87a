"""Numbers as the active language writes them. It knows nothing of HTML."""

from django.utils.formats import number_format


def number_text(number: int | str) -> str:
    """`1,024` or `1.024`, and `1.5` or `1,5`; a text is a number written with a point."""
    return str(number_format(number, force_grouping=True))
