"""What a label in words says of a picture that shows no animal.

find_why("Empty")          # "pictures that are blank"
find_why("Homo sapiens")   # "pictures of people"
find_why("Vulpes vulpes")  # None
"""

import re

from biobench.data.exports.kind import BLANK, HUMAN, UNCLASSIFIED, UNKNOWN, VEHICLE

__all__ = ["find_why"]

WORDS = {
    BLANK: ("blank", "empty", "nothing", "none", "no animal", "false trigger", "misfire"),
    HUMAN: ("human", "humans", "person", "people", "homo sapiens", "homo species", "homo"),
    VEHICLE: ("vehicle", "vehicles", "car", "motorcycle", "bicycle"),
    UNKNOWN: ("unknown", "unidentifiable", "unidentified", "unknown animal", "unknown species"),
    UNCLASSIFIED: ("unclassified", "unlabeled", "unlabelled", "no cv result", "not classified"),
}
_BY_WORD = {word: why for why, words in WORDS.items() for word in words}


def find_why(label: str | None) -> str | None:
    """Why a picture with such a label is left out; None for a taxon's name."""
    words = re.sub(r"[\W_]+", " ", label or "").strip().lower()
    # Wildlife Insights tells kinds of people apart: "Human-Camera Trapper".
    return _BY_WORD.get(words) or (HUMAN if words.startswith("human ") else None)
