"""Characters that show nothing, or that read as another blank: which they are, and a text with each of them in sight.

Unicode calls most of them default ignorable. A text keeps them: what is copied from a page is what ByCloud has.
"""

# Ranges for a regular expression's character class. The soft hyphen, joiners, marks of direction, tags and fillers.
IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Blanks other than the space.
BLANKS = "\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
CONTROLS = "\x00-\x1f\x7f-\x9f"
