"""Cells of files that spreadsheets open: what they would take for a formula is made text (OWASP: CSV Injection)."""

# With their wide forms, which some spreadsheets read likewise.
_FORMULA_SIGNS = tuple("=+-@\t\r\n\0＝＋－＠")


def defuse(text: str) -> str:
    """The text as it is, or with a quote before it when its first sign would make it a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_SIGNS) else text
