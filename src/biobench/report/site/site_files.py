"""Putting a site into its folder: each file whole or not at all, nothing outside, no stale page.

write_site(results, Path("site"))
"""

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from biobench import atomic, clean
from biobench.errors import BadInput, require_extra
from biobench.report.site.kinds import KINDS
from biobench.report.site.pages import File, Page
from biobench.report.site.rendering import Renderer
from biobench.report.site.subject import gather

__all__ = ["write_site"]

LIST = "biobench-site.json"
"""which files of a folder are the site's, so that the next site removes those that it lacks."""

_STATIC = ("site.css", "site.js", "table.js", "figure.js", "pair.js", "choose.js", "icon.svg")
_STATIC += ("gallery.js", "matrix.js")
_SAFE = re.compile(r"(?:[a-z0-9][a-z0-9.-]*/){0,2}[a-z0-9][a-z0-9.-]*")


def write_site(
    root: Path,
    site: Path,
    *,
    tasks: Sequence[str] = (),
    models: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
    aliases: Sequence[str] = (),
    images: Path | None = None,
) -> Path:
    """Write the site of the results below `root` into the folder `site`; returns its first page.

    tasks, models, where: see `selection.select`. aliases: names for models, each ORG:CKPT=Name.
    images: where the pictures of the tasks lie, for the pages that show some.
    Files of an earlier site are replaced one by one, the first page last; files of others stay.
    Raises BadInput where there is nothing to show, `site` is not a folder, or jinja2 is missing.
    """
    if site.exists() and not site.is_dir():
        raise BadInput(f"{site} is a file; name a folder for the site.")
    if images is not None and not images.is_dir():
        raise BadInput(f"--images {images} is not a folder; name the one that holds the pictures.")
    require_extra("report", "jinja2", "The site")
    require_extra("report", "vl-convert-python", "The site", module="vl_convert")
    subject = gather(root, tasks=tasks, models=models, where=where, aliases=aliases, images=images)
    made = {kind: list(kind.make(subject)) for kind in KINDS}
    menu = [
        (kind.name, kind.label, next(one.path for one in things if isinstance(one, Page)))
        for kind, things in made.items()
        if kind.label and any(isinstance(one, Page) for one in things)
    ]
    renderer = Renderer(menu, datetime.datetime.now(datetime.UTC))
    files: dict[str, str | bytes] = {f"static/{name}": _read_static(name) for name in _STATIC}
    for kind, things in made.items():
        for one in things:
            assert one.path not in files, f"two pages of the site are {one.path}"
            files[one.path] = (
                one.content if isinstance(one, File) else renderer.render(one, kind.name)
            )
    _write(site, files)
    return site / "index.html"


def _read_static(name: str) -> bytes:
    return (Path(__file__).parent / "static" / name).read_bytes()


def _write(site: Path, files: Mapping[str, str | bytes]) -> None:
    site.mkdir(parents=True, exist_ok=True)
    stale = _list_earlier(site) - set(files)
    kept = clean.to_json({"files": sorted(files)}, indent=1)
    for path, content in sorted(files.items(), key=lambda one: one[0] == "index.html"):
        atomic.write(_place(site, path), content)
    atomic.write(_place(site, LIST), kept)
    for path in stale:
        (site / path).unlink(missing_ok=True)


def _place(site: Path, path: str) -> Path:
    """Where a file goes; its folder is made, and is never a link that leads elsewhere."""
    assert _SAFE.fullmatch(path), path
    target = site / path
    for folder in reversed(target.relative_to(site).parents[:-1]):
        if (site / folder).is_symlink():
            raise BadInput(f"{site / folder} is a link; remove it, so that the site stays inside.")
        (site / folder).mkdir(exist_ok=True)
    return target


def _list_earlier(site: Path) -> set[str]:
    """The files of the site that stood here, but for any that no site writes."""
    try:
        named = json.loads((site / LIST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    paths = {path for path in named if isinstance(path, str) and _SAFE.fullmatch(path)}
    return {path for path in paths if not any(p.is_symlink() for p in _trace(site, path))}


def _trace(site: Path, path: str) -> list[Path]:
    return [site / folder for folder in Path(path).parents[:-1]]
