"""Names that mean harm, and what may be seen of them."""

import unicodedata

from hypothesis import strategies as st

__all__ = ["find_hidden", "names"]

PIECES = [
    "\x1b[31m",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\",
    "\x9b2J",
    "\x85",
    "\x7f",
    "\x00",
    "\b\b\b",
    "\r",
    "\n",
    "\n% ",
    "\t",
    "\u202e",
    "\u2066",
    "\u200f",
    "\u200b",
    "\u2028",
    "\u2029",
    "\ufeff",
    "\U000e0041",
    "[red]",
    "[/]",
    "[link=http://evil.example]",
    ":smile:",
    "|",
    "`",
    "<script>alert(1)</script>",
    "<!--",
    "![x](javascript:1)",
    "&lt;",
    '" onload="x',
    "'",
    "\\",
    "\\input{secret}",
    "\\write18{rm}",
    "^^M",
    "%",
    "$",
    "&",
    "#",
    "_",
    "{",
    "}",
    "~",
    "[1cm]",
    "*",
    "--",
    "=cmd|' /C calc'!A0",
    "@SUM(A1)",
    "+1+2",
    "-2+3",
    "../",
    "/",
    ",",
    ";",
    "é",
    "名前",
    "אב",
    "🙂",
    "ab",
    "7",
    " ",
]

names = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join)
"""texts of one to four pieces, each of which some kind of output obeys."""

DRAWN = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
"""characters of the category Cf that are drawn."""


def find_hidden(text: str, *, but: str = "") -> set[str]:
    """The characters in a text that cannot be seen, by Python's tables of Unicode."""
    return {
        char
        for char in text
        if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Cs")
        and ord(char) not in DRAWN
        and char not in but
    }
