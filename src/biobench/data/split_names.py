"""What a folder's or a column's name says of a split: train, test, validation, or nothing.

    read_role("Training_Set")        # "train"
    read_role("ants")                # None
    is_near_miss("train_old")        # True: it could be a split or not, so somebody must say

    layout = read_layout(tops)       # of the names of the folders in a folder
    splits = read_splits(values)     # of the values of a column `split`

A name in other letters, or with a word like "set" behind it, is taken for what it says, and the
notes tell so; one that could mean something else is refused with what to rename.
"""

import collections
import dataclasses
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from biobench.data.picture_files import show_name
from biobench.errors import BadInput

__all__ = ["Layout", "is_near_miss", "read_layout", "read_role", "read_splits"]

ROLES = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "val": ("val", "valid", "validation"),
}
_BY_WORD = {word: role for role, words in ROLES.items() for word in words}
_WORDS_BEHIND = r"(set|split|data|dataset|images?|imgs?|pictures?|photos?)"
# Further words for a split, and slips of the pen that are no words of their own ("nest" is one).
_ALSO_SPLITS = {"dev", "eval", "evaluation", "holdout", "heldout", "unlabeled", "unlabelled"}
_SLIPS = {"trian", "tarin", "trainig", "traning", "trainning", "traing", "tranin", "trains"}
_SLIPS |= {"tset", "tets", "tst", "tests", "testt", "teste", "vall", "vald", "validaton"}
_SLIPS |= {"validate", "validatoin", "vaildation", "valdiation", "validtion", "vaidation"}


@dataclasses.dataclass(frozen=True)
class Layout:
    """How the folders in a folder are to be taken."""

    roles: dict[str, str]
    """folder -> "train" or "test"; empty where the folders are classes."""
    unused: dict[str, str] = dataclasses.field(default_factory=dict)
    """folder -> why its pictures are left out."""
    notes: tuple[str, ...] = ()
    """what was understood that the names do not say letter by letter, one sentence each."""


def read_role(name: str) -> str | None:
    """`train`, `test` or `val` where the name says so, in any case or form; else None."""
    word = re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name).casefold())
    return _BY_WORD.get(word) or _BY_WORD.get(re.sub(f"{_WORDS_BEHIND}$", "", word))


def is_near_miss(name: str) -> bool:
    """Whether a name without a role has a word of a split in it, or one misspelt."""
    if read_role(name):
        return False
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", name)).casefold()
    words = set(re.findall(r"[^\W\d_]+", name))
    return bool(words & (_BY_WORD.keys() | _ALSO_SPLITS | _SLIPS))


def read_layout(tops: Iterable[str], source: str, *, trained: bool = True) -> Layout:
    """How folders that hold pictures are to be taken, by their names.

    trained: whether a training split must be beside a test split.
    Raises BadInput where a name could be a split's and could be a class's, or two folders are one
    split.
    """
    tops = sorted(set(tops))
    by_role = collections.defaultdict(list)
    for name in tops:
        by_role[read_role(name) or ""].append(name)
    for role in ("train", "test", "val"):
        if len(by_role[role]) > 1:
            raise BadInput(
                f"{source}: the folders {_quote(by_role[role])} both read as the {_full(role)} "
                "split; merge them, or rename the one that is not."
            )
    if (by_role["train"] or not trained) and (by_role["test"] or by_role["val"]):
        return _make_layout(by_role)
    role = next((role for role in ROLES if by_role[role]), None)
    if role:
        name = by_role[role][0]
        wanted = "test" if role == "train" else "train"
        raise BadInput(
            f"{source}: the folder {_quote([name])} reads as the {_full(role)} split, but there is "
            f"no folder '{wanted}' beside it; add that, or point datadir at the folder of class "
            "folders, or, if it is a class, rename it or give a table with columns path and label."
        )
    near = [name for name in tops if is_near_miss(name)]
    if near:
        raise BadInput(
            f"{source}: {_quote(near)} could be a split or a class; rename a split to 'train' or "
            "'test', and a class so that it has no such word in it (or give a table with columns "
            "path and label)."
        )
    return Layout({})


def read_splits(values: Iterable[str], source: str) -> Layout:
    """How the values of a column `split` are to be taken; raises BadInput on a near-miss."""
    values = sorted(set(values))
    by_role = collections.defaultdict(list)
    for value in values:
        by_role[read_role(value) or ""].append(value)
    near = [value for value in by_role[""] if is_near_miss(value)]
    if near:
        raise BadInput(
            f"{source}: the column split says {_quote(near)}, which could mean a split or not; "
            "write 'train', 'test' or 'val' there, or take those rows out."
        )
    notes = [
        f"The column split writes {_full(role)} as {_quote(names)}: taken as one."
        for role, names in by_role.items()
        if role and len(names) > 1
    ]
    layout = _make_layout(by_role)
    return dataclasses.replace(layout, notes=(*notes, *layout.notes))


def _make_layout(by_role: Mapping[str, Sequence[str]]) -> Layout:
    """Train, and test or else validation; what is left over is used for nothing."""
    has_test = bool(by_role["test"])
    roles = dict.fromkeys(by_role["train"], "train")
    roles.update((name, "test") for name in by_role["test" if has_test else "val"])
    notes = [
        f"'{show_name(name)}' is taken as the {_full(role)} split."
        for role in ("train", "test", "val")
        for name in by_role[role]
        if name in roles and name not in (role, *ROLES["val"])
    ]
    if not has_test and by_role["val"]:
        notes.append(f"There is no test split: {_quote(by_role['val'])} is tested on.")
    unused = dict.fromkeys(by_role[""], "pictures outside the splits")
    if has_test:
        unused.update((name, "pictures of the unused validation split") for name in by_role["val"])
    return Layout(roles, unused, tuple(notes))


def _full(role: str) -> str:
    return {"val": "validation", "train": "training"}.get(role, role)


def _quote(names: Sequence[str]) -> str:
    shown = [f"'{show_name(name)}'" for name in names[:4]] + ["…"] * (len(names) > 4)
    return " and ".join(shown) if len(shown) == 2 else ", ".join(shown)
