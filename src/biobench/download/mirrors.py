"""Further addresses of published files: from the user's config file and from `--mirror`.

    mirrors = read_mirrors(["https://storage.example.org/biobench"])
    mirrors.find("newt", "newt2021_labels.csv.tar.gz", published)

In the config file (`config.toml` in the platform's folder for the user's settings of biobench):

    [mirrors]
    "*" = ["https://storage.example.org/biobench"]              # holds TASK/FILE
    iwildcam = ["https://storage.example.org/cameras"]          # holds FILE
    "iwildcam/archive.tar.gz" = ["https://example.org/x?id=7"]  # is the file

Mirrors are tried before the published addresses, in the order given; `--mirror` before the file's.
"""

import dataclasses
import tomllib
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from biobench.errors import BadInput

__all__ = ["Mirrors", "get_config_path", "read_mirrors"]


@dataclasses.dataclass(frozen=True)
class Mirrors:
    """(key, address) pairs in the order tried; a key is `*`, TASK or TASK/FILE."""

    pairs: tuple[tuple[str, str], ...] = ()

    def find(self, task: str, name: str, published: Sequence[str]) -> tuple[str, ...]:
        """All addresses of the task's file `name`, each once."""
        quoted = urllib.parse.quote(name)
        found = []
        for key, address in self.pairs:
            base = address.rstrip("/")
            if key == "*":
                found.append(f"{base}/{urllib.parse.quote(task)}/{quoted}")
            elif key == task:
                found.append(f"{base}/{quoted}")
            elif key == f"{task}/{name}":
                found.append(address)
        return tuple(dict.fromkeys([*found, *published]))

    def list_tasks(self) -> set[str]:
        """The tasks that keys name."""
        return {key.partition("/")[0] for key, _ in self.pairs} - {"*"}

    def find_unused(self, names: dict[str, set[str]]) -> list[str]:
        """Keys of files that these tasks (task -> its files' names) do not have."""
        keys = dict.fromkeys(key for key, _ in self.pairs if "/" in key)
        split = [(key, *key.split("/", 1)) for key in keys]
        return [key for key, task, name in split if task in names and name not in names[task]]


def get_config_path() -> Path:
    """Where the user's config file is looked for."""
    return platformdirs.user_config_path("biobench") / "config.toml"


def read_mirrors(given: Sequence[str] = (), config: Path | None = None) -> Mirrors:
    """Mirrors of the command line (`ADDRESS` or `KEY=ADDRESS`) and of the user's config file.

    Raises BadInput for what is no address, or a file that cannot be read.
    """
    config = config or get_config_path()
    pairs = []
    for text in given:
        key, sign, address = text.partition("=")
        if not sign or "://" in key:
            key, address = "*", text
        pairs.append((key, _check_address(address, f"--mirror {text}")))
    for key, addresses in _read_table(config).items():
        listed = [addresses] if isinstance(addresses, str) else addresses
        if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
            raise BadInput(f"{config}: mirrors.{key} must be an address or a list of addresses.")
        pairs += [(key, _check_address(item, f"{config}: mirrors.{key}")) for item in listed]
    return Mirrors(tuple(pairs))


def _read_table(config: Path) -> dict[str, object]:
    try:
        table = tomllib.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as err:
        raise BadInput(f"{config}: not a readable TOML file ({err}).") from None
    unknown = table.keys() - {"mirrors"}
    if unknown:
        raise BadInput(f"{config}: unknown key '{min(unknown)}'; the keys known are: mirrors.")
    mirrors = table.get("mirrors", {})
    if not isinstance(mirrors, dict):
        raise BadInput(f"{config}: mirrors must be a table, as docs/download.md shows.")
    return mirrors


def _check_address(address: str, source: str) -> str:
    parts = urllib.parse.urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise BadInput(
            f"{source}: '{address}' is not an address that begins with https:// or http://; a file "
            "that you have is put into the task's folder instead (docs/download.md)."
        )
    return address
