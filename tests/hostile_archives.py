"""Archives that mean harm, and honest ones, built byte by byte in the tests."""

import gzip
import io
import stat
import tarfile
import zipfile
import zlib

__all__ = ["HOSTILE", "make_tar", "make_zip", "tar_member"]


def make_tar(files, mode="w:gz"):
    """A tar of (name, bytes) pairs or of TarInfo objects."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for entry in files:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
            else:
                name, content = entry
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def make_zip(files, compression=zipfile.ZIP_DEFLATED):
    """A zip of (name or ZipInfo, bytes) pairs."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return stream.getvalue()


def tar_member(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_member(name, mode):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def _zip_named(name):
    """A zip whose member's name is exactly `name`: zipfile itself would clean it."""
    plain = "x" * len(name)
    return make_zip([(plain, b"evil")]).replace(plain.encode(), name.encode())


def _encrypted():
    content = bytearray(make_zip([("secret.txt", b"evil")]))
    content[content.index(b"PK\3\4") + 6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    return bytes(content)


def _overlapping():
    """Two members whose data are the same bytes, as of the better known bombs."""
    one = make_zip([("a", b"0" * 100_000)])
    directory = one.index(b"PK\1\2")
    end = one.index(b"PK\5\6")
    entry = one[directory:end]
    tail = bytearray(one[end:])
    tail[8:12] = (2).to_bytes(2, "little") * 2
    tail[12:16] = (2 * len(entry)).to_bytes(4, "little")
    return one[:directory] + entry + entry + bytes(tail)


def _huge_header():
    """A tar whose header for a long name says that it has gigabytes of it."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 8 << 30
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(20_000))


def _padded_bomb():
    """A small tar with a member, then a gigabyte of zeros behind its end."""
    tar = make_tar([("a.txt", b"a")], "w:")
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = packer.compress(tar)
    block = bytes(1 << 24)
    for _ in range(8):
        body += packer.compress(block)
    return body + packer.flush()


_UP = "../" * 3 + "evil"
HOSTILE = {
    "tar absolute": ("tar", make_tar([("/tmp/biobench-evil", b"evil")])),
    "tar dots": ("tar", make_tar([(_UP, b"evil")])),
    "tar dots inside": ("tar", make_tar([("a/../../evil", b"evil")])),
    "tar link out": ("tar", make_tar([tar_member("evil", tarfile.SYMTYPE, _UP)])),
    "tar link absolute": ("tar", make_tar([tar_member("evil", tarfile.SYMTYPE, "/etc/passwd")])),
    "tar through a link": (
        "tar",
        make_tar([tar_member("d", tarfile.SYMTYPE, ".."), ("d/evil", b"evil")]),
    ),
    "tar through a link inside": (
        "tar",
        make_tar(
            [
                tar_member("a/b", tarfile.DIRTYPE),
                tar_member("c", tarfile.SYMTYPE, "a/b"),
                tar_member("c/d", tarfile.SYMTYPE, "../../.."),
                ("c/d/evil", b"evil"),
            ]
        ),
    ),
    "tar hard link out": ("tar", make_tar([tar_member("evil", tarfile.LNKTYPE, _UP)])),
    "tar hard link to nothing": ("tar", make_tar([tar_member("evil", tarfile.LNKTYPE, "none")])),
    "tar device": ("tar", make_tar([tar_member("evil", tarfile.CHRTYPE)])),
    "tar block device": ("tar", make_tar([tar_member("evil", tarfile.BLKTYPE)])),
    "tar pipe": ("tar", make_tar([tar_member("evil", tarfile.FIFOTYPE)])),
    "tar bomb": ("tar", make_tar([("zeros", bytes(40 << 20))])),
    "tar many files bomb": ("tar", make_tar([(f"{i}", bytes(1 << 20)) for i in range(40)])),
    "tar bomb in a header": ("tar", _huge_header()),
    "tar bomb behind the end": ("tar", _padded_bomb()),
    "tar backslashes": ("tar", make_tar([("..\\..\\evil", b"evil")])),
    "tar drive": ("tar", make_tar([("C:/evil", b"evil")])),
    "tar file and folder": ("tar", make_tar([("a", b"x"), ("a/evil", b"evil")])),
    "tar cut": ("tar", make_tar([("a", b"x" * 5000)])[:-40]),
    "tar damaged header": (
        "tar",
        make_tar([("a", b"x"), ("b", b"y"), ("c", b"z")], "w:").replace(b"b\0", b"c\0", 1),
    ),
    "no archive": ("tar", b"<html>404</html>"),
    "zip absolute": ("zip", _zip_named("/tmp/biobench-evil")),
    "zip dots": ("zip", _zip_named(_UP)),
    "zip backslashes": ("zip", _zip_named("..\\..\\evil")),
    "zip drive": ("zip", _zip_named("C:evil")),
    "zip nul": ("zip", _zip_named("a.jpg\0.exe")),
    "zip link out": ("zip", make_zip([(zip_member("evil", stat.S_IFLNK), _UP)])),
    "zip link absolute": ("zip", make_zip([(zip_member("evil", stat.S_IFLNK), "/etc/passwd")])),
    "zip device": ("zip", make_zip([(zip_member("evil", stat.S_IFCHR), b"")])),
    "zip pipe": ("zip", make_zip([(zip_member("evil", stat.S_IFIFO), b"")])),
    "zip bomb": ("zip", make_zip([("zeros", bytes(40 << 20))])),
    "zip overlapping": ("zip", _overlapping()),
    "zip encrypted": ("zip", _encrypted()),
    "zip cut": ("zip", make_zip([("a", b"x" * 5000)])[:-10]),
    "no zip": ("zip", b"<html>404</html>"),
}
"""what it is -> (kind, bytes)."""
