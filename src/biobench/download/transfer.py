"""One file over HTTP, whatever happens on the way: resumed, retried, from the next address.

    with Fetcher() as fetcher:
        fetcher.fetch(Wanted("a.zip", addresses, checksum="sha256:…"), Path("a.zip.partial"))

httpx2 brings connections, redirects, proxies (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY) and
certificates (the system's, or SSL_CERT_FILE and SSL_CERT_DIR). What it leaves to its caller is
here: going on after a cut by a range request that cannot mix two versions of a file, waiting, and
the next address.
"""

import contextlib
import dataclasses
import email.utils
import hashlib
import json
import os
import random
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import httpx2

import biobench
from biobench.download import checksums
from biobench.download.problems import NotFetched, SourceFailed
from biobench.download.sizes import ROOM, show_bytes
from biobench.progress import report

__all__ = ["Clock", "Fetcher", "Policy", "Wanted", "forget"]

BUSY = {408, 425, 429, 500, 502, 503, 504}
"""answers that may be others a little later."""


@dataclasses.dataclass(frozen=True)
class Clock:
    """Time, so that tests need not wait for it."""

    now: Callable[[], float] = time.monotonic
    date: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


@dataclasses.dataclass(frozen=True)
class Policy:
    """How patient a fetch is."""

    tries: int = 6
    """failures in a row at one address, before the next; one that brought `stride` counts anew."""
    stride: int = 64 << 10
    """bytes."""
    first_wait: float = 1.0
    """seconds after the first failure; doubled after each."""
    longest_wait: float = 300.0
    """seconds, whatever a server asks for."""
    connect: float = 20.0
    """seconds for a connection."""
    silence: float = 60.0
    """seconds without a byte."""
    window: float = 60.0
    least_rate: float = 1024.0
    """bytes a second, over `window` seconds; below it a connection is given up."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A file to fetch, and what is known of it."""

    name: str
    addresses: tuple[str, ...]
    size: int | None = None
    checksum: str = ""
    """"ALGORITHM:HEX", or empty where it is not known."""


class _Failed(Exception):
    """A try that failed; `wait` is what the server asks for, in seconds."""

    def __init__(self, cause: str, *, final: bool = False, away: bool = False, wait: float = 0.0):
        super().__init__(cause)
        self.final, self.away, self.wait = final, away, wait


@dataclasses.dataclass(frozen=True)
class _Origin:
    """Which version of which file the bytes that are there came from."""

    address: str = ""
    etag: str = ""
    modified: str = ""
    total: int | None = None


class Fetcher:
    """Fetches files, one after the other, over connections that are kept until it is closed."""

    def __init__(
        self,
        policy: Policy | None = None,
        clock: Clock | None = None,
        client: httpx2.Client | None = None,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        """tell: called with why and how long is waited, once for each wait."""
        self.policy, self.clock, self._tell = policy or Policy(), clock or Clock(), tell
        self._client = client
        self._away: set[str] = set()

    def __enter__(self) -> "Fetcher":
        return self

    def __exit__(self, *error: object) -> None:
        if self._client is not None:
            self._client.close()

    def fetch(self, wanted: Wanted, partial: Path) -> tuple[str, str]:
        """Bring the whole, verified file to `partial`; return its checksum and address.

        What an earlier try left at `partial` is gone on from, where it surely is of the same file.
        Raises NotFetched where no address gave it, SourceFailed where the disk has no room.
        """
        causes: dict[str, str] = {}
        for address in wanted.addresses:
            others = len(causes) + 1 < len(wanted.addresses)
            try:
                return self._fetch_from(address, wanted, partial, others), address
            except _Failed as err:
                causes[address] = str(err)
                if err.away:
                    self._away.add(_get_host(address))
        raise NotFetched(causes)

    def _fetch_from(self, address: str, wanted: Wanted, partial: Path, others: bool) -> str:
        failures, fetched_anew = 0, False
        # A host that was waited for in vain is not waited for again, file after file.
        tries = 1 if _get_host(address) in self._away else self.policy.tries
        while True:
            before = _size(partial)
            try:
                resumed, found = self._try(address, wanted, partial)
                if not wanted.checksum or found == wanted.checksum:
                    return found
                forget(partial)
                if fetched_anew or not resumed:
                    raise _Failed(f"its checksum is {found} and not {wanted.checksum}", final=True)
                # Pieces of several tries may not fit together; one whole answer tells.
                fetched_anew = True
            except _Failed as err:
                failures = 1 if _size(partial) - before >= self.policy.stride else failures + 1
                wait = max(err.wait, self._back_off(failures))
                impatient = others and (err.away or wait > self.policy.longest_wait)
                if err.final or impatient or failures >= tries:
                    raise
                wait = min(wait, self.policy.longest_wait)
                self._tell(f"{wanted.name}: {err}; the next try is in {wait:.0f} s")
                self.clock.sleep(wait)

    def _back_off(self, failures: int) -> float:
        # Spread out, so that many who were cut off together do not come back together.
        wait = self.policy.first_wait * 2 ** (failures - 1) * random.uniform(0.75, 1.25)
        return min(wait, self.policy.longest_wait)

    def _try(self, address: str, wanted: Wanted, partial: Path) -> tuple[bool, str]:
        """One request; whether it went on from earlier bytes, and the whole file's checksum."""
        origin = _read_origin(partial)
        start = _size(partial) if _may_resume(origin, address, wanted) else 0
        if start and start == (wanted.size or origin.total):
            return True, _hash_start(partial, start, wanted).done()
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
            if origin.address == address and (version := origin.etag or origin.modified):
                headers["If-Range"] = version
        try:
            with self.client.stream("GET", address, headers=headers) as answer:
                self._away.discard(_get_host(address))
                _check_answer(answer, wanted, self.clock)
                if answer.status_code == 416:
                    return True, _take_as_whole(answer, wanted, partial, start)
                new = _describe(answer, address)
                start = _check_version(answer, origin, new, wanted, partial, start)
                _require_room(partial, new.total, start)
                _write_origin(partial, new)
                return bool(start), self._receive(answer, new.total, wanted, partial, start)
        except httpx2.HTTPError as err:
            raise _explain(err) from err
        except (httpx2.InvalidURL, UnicodeError) as err:
            raise _Failed(f"not an address ({err})", final=True) from err

    def _receive(
        self,
        answer: httpx2.Response,
        total: int | None,
        wanted: Wanted,
        partial: Path,
        start: int,
    ) -> str:
        digest = _hash_start(partial, start, wanted)
        stage, size = f"fetch {wanted.name}", start
        expected = wanted.size or total
        since, at_since = self.clock.now(), size
        report(stage, size, expected or 0)
        with partial.open("r+b" if start else "wb", buffering=0) as file:
            file.seek(start)
            for chunk in answer.iter_raw():
                file.write(chunk)
                digest.add(chunk)
                size += len(chunk)
                report(stage, size, expected or 0)
                if expected is not None and size > expected:
                    forget(partial)
                    raise _Failed(f"it gives more than {expected:,} bytes", final=True)
                if (passed := self.clock.now() - since) >= self.policy.window:
                    if size - at_since < self.policy.least_rate * passed:
                        raise _Failed(f"only {size - at_since:,} bytes came in {passed:.0f} s")
                    since, at_since = self.clock.now(), size
            os.fsync(file.fileno())
        if expected is not None and size < expected:
            raise _Failed(f"the connection ended after {size:,} of {expected:,} bytes")
        return digest.done()

    @property
    def client(self) -> httpx2.Client:
        """The connections, made on first use."""
        if self._client is None:
            timeout = httpx2.Timeout(self.policy.silence, connect=self.policy.connect)
            agent = {"User-Agent": f"biobench/{biobench.__version__}"}
            self._client = httpx2.Client(timeout=timeout, headers=agent, follow_redirects=True)
        return self._client


def forget(partial: Path) -> None:
    """Remove what a try left, and what is known of it."""
    for path in (partial, _origin_path(partial)):
        path.unlink(missing_ok=True)


def _check_answer(answer: httpx2.Response, wanted: Wanted, clock: Clock) -> None:
    """Raise _Failed unless the answer is (part of) a file, or says that there is no more of it."""
    code, phrase = answer.status_code, answer.reason_phrase
    asked = [step.url.scheme for step in answer.history]
    if not wanted.checksum and "https" in asked and answer.url.scheme == "http":
        raise _Failed("it leads from https to http, and no checksum is known", final=True)
    if code in BUSY:
        wait = _parse_retry_after(answer.headers.get("Retry-After", ""), clock)
        raise _Failed(f"HTTP {code} {phrase}", wait=wait)
    if code in (401, 403):
        raise _Failed(f"HTTP {code} {phrase}, it may want a login", final=True)
    if code not in (200, 206, 416):
        raise _Failed(f"HTTP {code} {phrase}", final=True)
    is_page = answer.headers.get("Content-Type", "").startswith("text/html")
    if code == 200 and is_page and not wanted.name.endswith((".html", ".htm")):
        raise _Failed("it gives a web page instead of the file", final=True)


def _describe(answer: httpx2.Response, address: str) -> _Origin:
    headers = answer.headers
    etag = headers.get("ETag", "")
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", headers.get("Content-Range", "").strip())
    if answer.status_code == 206:
        total = int(found[3]) if found and found[3] != "*" else None
    else:
        length = headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
    # A weak tag may stay while bytes change.
    etag = "" if etag.startswith("W/") else etag
    return _Origin(address, etag, headers.get("Last-Modified", ""), total)


def _check_version(
    answer: httpx2.Response,
    origin: _Origin,
    new: _Origin,
    wanted: Wanted,
    partial: Path,
    start: int,
) -> int:
    """Where the answer's bytes go; raises _Failed where they do not fit to those that are there."""
    if wanted.size is not None and new.total is not None and new.total != wanted.size:
        cause = f"it gives {new.total:,} bytes and not the published {wanted.size:,}"
        raise _Failed(cause, final=True)
    if answer.status_code == 200:
        return 0
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    pairs = [(origin.total, new.total)]
    if origin.address == new.address:
        pairs += [(origin.etag, new.etag), (origin.modified, new.modified)]
    changed = any(old and now and old != now for old, now in pairs)
    if changed or not found or int(found[1]) != start:
        forget(partial)
        cause = "the file changed" if changed else "it gave another part than was asked for"
        raise _Failed(f"{cause}, so it is fetched anew")
    return start


def _take_as_whole(answer: httpx2.Response, wanted: Wanted, partial: Path, start: int) -> str:
    """What to do where a server has nothing behind `start`: it was all, or it is another file."""
    if answer.headers.get("Content-Range", "").replace(" ", "") == f"bytes*/{start}":
        return _hash_start(partial, start, wanted).done()
    forget(partial)
    raise _Failed("the file changed, so it is fetched anew")


def _may_resume(origin: _Origin, address: str, wanted: Wanted) -> bool:
    # A checksum tells in the end whether pieces of two addresses were of one file.
    if wanted.checksum:
        return True
    return origin.address == address and bool(origin.etag or origin.modified or origin.total)


def _require_room(partial: Path, total: int | None, start: int) -> None:
    free = shutil.disk_usage(partial.parent).free
    needed = (total or 0) - start + ROOM
    if needed > free:
        raise SourceFailed(
            f"the disk of {partial.parent} has {show_bytes(free)} free, but {show_bytes(needed)} "
            "are needed; make room, and the same command goes on"
        )


def _parse_retry_after(value: str, clock: Clock) -> float:
    """Seconds to wait, from a number of them or a date; 0 where it is neither."""
    if value.strip().isdecimal():
        return float(value)
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - clock.date())
    return 0.0


def _explain(err: httpx2.HTTPError) -> _Failed:
    cause = " ".join(str(err).split()) or type(err).__name__
    if "CERTIFICATE_VERIFY_FAILED" in cause:
        advice = "; SSL_CERT_FILE may name another store of certificates"
        return _Failed(f"its certificate is not trusted ({cause}{advice})", final=True)
    if isinstance(err, httpx2.TooManyRedirects | httpx2.UnsupportedProtocol):
        return _Failed(cause, final=True)
    if isinstance(err, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError):
        return _Failed(f"it cannot be reached ({cause})", away=True)
    if isinstance(err, httpx2.TimeoutException):
        return _Failed("it fell silent")
    return _Failed(f"the connection broke ({cause})")


class _Digest:
    """A checksum that grows with the file."""

    def __init__(self, algorithm: str) -> None:
        self._name, self._digest = algorithm, hashlib.new(algorithm)
        self.add = self._digest.update

    def done(self) -> str:
        return f"{self._name}:{self._digest.hexdigest()}"


def _hash_start(partial: Path, start: int, wanted: Wanted) -> _Digest:
    """The checksum of the first `start` bytes, to go on from."""
    algorithm = wanted.checksum.partition(":")[0] or checksums.RECORDED
    digest, done = _Digest(algorithm), 0
    if start:
        with partial.open("rb") as file:
            while chunk := file.read(min(checksums.CHUNK, start - done)):
                digest.add(chunk)
                done += len(chunk)
                report(f"read again {wanted.name}", done, start)
    return digest


def _get_host(address: str) -> str:
    return address.partition("://")[2].partition("/")[0]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _origin_path(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _read_origin(partial: Path) -> _Origin:
    try:
        return _Origin(**json.loads(_origin_path(partial).read_text()))
    except (OSError, ValueError, TypeError):
        return _Origin()


def _write_origin(partial: Path, origin: _Origin) -> None:
    _origin_path(partial).write_text(json.dumps(dataclasses.asdict(origin)))
