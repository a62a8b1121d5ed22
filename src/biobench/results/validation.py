"""What a `report.json` may hold: the types and ranges of every field, checked on reading.

    report = decode(text)       # Report; msgspec.ValidationError names the field that is wrong

The same as the published schema (`schema/report-1.json`), in a form that checks ten thousand
reports in a fraction of a second; a test holds the two against each other. Fields that are not
named here are passed over, so that reports may grow.
"""

import typing
from typing import Annotated

import msgspec

__all__ = [
    "MAX_DEPTH",
    "MAX_TIME",
    "File",
    "Plain",
    "Report",
    "decode",
    "decode_plain",
    "get_version",
]

MAX_TIME = 253_402_300_799
"""the end of the year 9999, in seconds since 1970."""

MAX_DEPTH = 8
"""lists and objects in one another, in the parts of a report that have no fields of their own."""

RUN_ID = r"^[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-[0-9a-f]{4,64}\Z"

Number = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Name = Annotated[str, msgspec.Meta(min_length=1)]


def _make_plain(depth: int) -> typing.Any:
    """JSON of limited depth: no stack, format or integer of a reader has to bear more."""
    integer: typing.Any = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    plain: typing.Any = bool | integer | float | str | None
    for _ in range(depth):
        plain = bool | integer | float | str | list[plain] | dict[str, plain] | None
    return plain


Plain = _make_plain(MAX_DEPTH - 1)
Object = dict[str, Plain]


class Model(msgspec.Struct):
    """`model` of a report."""

    org: str
    ckpt: str


class File(msgspec.Struct):
    """`predictions` or `scores` of a report: the file as it was written."""

    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    bytes: Count


class Provenance(msgspec.Struct):
    """`provenance` of a report."""

    protocol: Object
    manifest: str
    backbone: Object
    stages: dict[str, Number]
    skipped: list[dict[str, str]]
    counts: dict[str, Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]]
    warnings: list[str]
    versions: dict[str, str]
    fitted: dict[str, Object] = {}
    manifest_of: typing.Literal["", "contents"] = ""
    left_out: list[dict[str, str]] = []
    imports: list[dict[str, str]] = []
    checked: Object = {}
    published: Object = {}


class Report(msgspec.Struct):
    """A `report.json`."""

    format: Annotated[int, msgspec.Meta(ge=1, le=1)]
    run: Annotated[str, msgspec.Meta(pattern=RUN_ID)]
    task: Name
    name: str
    model: Model
    score: Number
    ci: tuple[Number, Number] | None
    group_ci: tuple[Number, Number] | None
    confidence: Annotated[float, msgspec.Meta(ge=0, le=100)]
    n: Count | None
    n_groups: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)] | None
    protocol_digest: str
    has_predictions: bool
    has_log: bool
    origin: str
    splits: dict[str, Number | None]
    argv: list[str]
    commit: str
    posix_time: Annotated[float, msgspec.Meta(ge=0, le=MAX_TIME)]
    gpu_name: str
    hostname: str
    provenance: Provenance
    warnings: list[str]
    config: Object | None = None
    predictions: File | None = None
    scores: File | None = None
    seal: str = ""


class _Version(msgspec.Struct):
    format: typing.Any = None


_report = msgspec.json.Decoder(Report)
_version = msgspec.json.Decoder(_Version)
_plain = msgspec.json.Decoder(dict[str, typing.Any])


def decode(text: bytes) -> Report:
    """The report in `text`; raises ValueError that says which field is wrong, and how."""
    report = _decode(_report, text)
    for name in ("ci", "group_ci"):
        interval = getattr(report, name)
        if interval and not interval[0] <= interval[1]:
            raise ValueError(f"the ends of {name} are swapped, {interval}")
    return report


def decode_plain(text: bytes) -> dict[str, typing.Any]:
    """The dict in `text`, with fields that are not known here too; raises ValueError."""
    return _decode(_plain, text)


def get_version(text: bytes) -> object:
    """What a report says its format is; None where it says nothing. Raises ValueError."""
    try:
        return _decode(_version, text).format
    except msgspec.ValidationError:
        return None


def _decode(decoder: msgspec.json.Decoder, text: bytes) -> typing.Any:
    try:
        # Of what it passes over, the decoder does not look at the characters.
        text.decode()
        return decoder.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
