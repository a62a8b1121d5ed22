"""Sizes that are not published, as the servers tell them, so that a plan can be made.

make_plan(task, sources, folder, mirrors, Asker(fetcher.client))
"""

import urllib.parse

import httpx2

__all__ = ["Asker"]

PATIENCE = 10.0
"""seconds for an answer: a plan is not worth more."""


class Asker:
    """Asks for sizes; a host that does not answer is not asked again."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client
        self._silent: set[str] = set()

    def __call__(self, addresses: tuple[str, ...]) -> int | None:
        """Bytes of the file that the first address with an answer gives; None where none tells."""
        for address in addresses:
            host = urllib.parse.urlsplit(address).netloc
            if host in self._silent:
                continue
            try:
                headers = {"Accept-Encoding": "identity"}
                answer = self._client.head(address, headers=headers, timeout=PATIENCE)
            except httpx2.InvalidURL:
                continue
            except httpx2.HTTPError:
                self._silent.add(host)
                continue
            length = answer.headers.get("Content-Length", "")
            if answer.status_code == 200 and length.isdecimal():
                return int(length)
        return None
