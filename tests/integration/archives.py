#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""archives.py NAME FILE: writes an archive that an attacker would, or that most programs get wrong, to FILE.

archives.py: the names, each with what the refusal has to say; "-" for one that has to be taken.
"""
import gzip
import io
import sys
import tarfile

CASES = {}


def case(expected):
    def put(function):
        CASES[function.__name__.replace("_", "-")] = (function, expected)
        return function

    return put


def member(name, content=None, **what):
    info = tarfile.TarInfo(name)
    info.type = what.pop("type", tarfile.REGTYPE)
    info.mode = what.pop("mode", 0o755 if info.type == tarfile.DIRTYPE else 0o644)
    for key, value in what.items():
        setattr(info, key, value)
    if content is not None:
        info.size = len(content)
    return info, content


def tar(*members, format=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content) if content is not None else None)
    return out.getvalue()


GOOD = member("etc/good", b"good\n")


@case(r"member '\.\./evil': '\.\.' in its name")
def dots():
    return tar(GOOD, member("../evil", b"evil"))


@case(r"member 'a/\.\./\.\./evil': '\.\.' in its name")
def dots_inside():
    return tar(GOOD, member("a/../../evil", b"evil"))


@case(r"member '/tmp/holm-evil': its name '/tmp/holm-evil' is absolute")
def absolute():
    return tar(GOOD, member("/tmp/holm-evil", b"evil"))


@case(r"member 'way/holm-evil': a symbolic link on its way leads out")
def absolute_symlink():
    return tar(member("way", type=tarfile.SYMTYPE, linkname="/tmp"), member("way/holm-evil", b"evil"))


@case(r"member 'way/holm-evil': a symbolic link on its way leads out")
def relative_symlink():
    return tar(member("way", type=tarfile.SYMTYPE, linkname="../../../../../../../tmp"), member("way/holm-evil", b"evil"))


@case(r"member 'a/b/holm-evil': a symbolic link on its way leads out")
def symlink_to_symlink():
    return tar(
        member("a", type=tarfile.DIRTYPE),
        member("a/b", type=tarfile.SYMTYPE, linkname="c"),
        member("a/c", type=tarfile.SYMTYPE, linkname="/tmp"),
        member("a/b/holm-evil", b"evil"),
    )


@case(r"member 'way/magic': (a symbolic link on its way leads|something on its way is not)")
def magic_link():
    return tar(member("way", type=tarfile.SYMTYPE, linkname="/proc/self/root"), member("way/magic", b"evil"))


@case(r"member 'round/x': symbolic links on its way lead round")
def symlink_circle():
    return tar(member("round", type=tarfile.SYMTYPE, linkname="round"), member("round/x", b"evil"))


@case(r"member 'link': it is a hard link to 'etc/passwd', which is not in this archive")
def hard_link_outside():
    return tar(member("link", type=tarfile.LNKTYPE, linkname="etc/passwd"))


@case(r"member 'link': its link's target: '\.\.' in its name")
def hard_link_dots():
    return tar(GOOD, member("link", type=tarfile.LNKTYPE, linkname="../../etc/passwd"))


@case(r"member 'link': its link's target: its name '/etc/passwd' is absolute")
def hard_link_absolute():
    return tar(GOOD, member("link", type=tarfile.LNKTYPE, linkname="/etc/passwd"))


@case(r"member 'link': a symbolic link on its way leads out")
def hard_link_by_symlink():
    return tar(member("way", type=tarfile.SYMTYPE, linkname="/etc"), member("link", type=tarfile.LNKTYPE, linkname="way/passwd"))


@case("-")
def write_through_symlink():
    """The second one replaces the link; /tmp/holm-evil stays away."""
    return tar(member("x", type=tarfile.SYMTYPE, linkname="/tmp/holm-evil"), member("x", b"mine"))


@case("-")
def write_through_hard_link():
    """The third one replaces one name, and leaves what the other has."""
    return tar(GOOD, member("link", type=tarfile.LNKTYPE, linkname="etc/good"), member("link", b"other\n"))


@case(r"member 'null': it is the character device 0:0")
def fake_whiteout():
    return tar(member("null", type=tarfile.CHRTYPE, devmajor=0, devminor=0))


@case(r"member 'etc/x': it has the extended attribute 'trusted\.overlay\.redirect'")
def overlay_attribute():
    return tar(member("etc/x", b"x", pax_headers={"SCHILY.xattr.trusted.overlay.redirect": "/etc"}))


@case(r"member 'etc/x': it has the extended attribute 'user\.overlay\.metacopy'")
def overlay_user_attribute():
    return tar(member("etc/x", b"x", pax_headers={"SCHILY.xattr.user.overlay.metacopy": ""}))


@case(r"member '\.wh\.': a whiteout of nothing")
def whiteout_of_nothing():
    return tar(GOOD, member(".wh.", b""))


@case(r"member 'a/\.wh\.\.\.': a whiteout of nothing")
def whiteout_of_dots():
    return tar(GOOD, member("a/.wh...", b""))


@case(r"lies deeper than 256 folders")
def deep():
    return tar(member("d/" * 300 + "x", b"x"))


@case(r"its name is longer than 4095 bytes")
def long_path():
    return tar(member("/".join(["n" * 200] * 30), b"x"))


@case(r"File name too long|file name too long")
def long_name():
    return tar(member("n" * 300, b"x"))


@case(r"a header of [0-9]+ bytes is too long")
def long_header():
    return tar(member("n" * 100000, b"x", ), format=tarfile.GNU_FORMAT)


@case(r"more than 500 times its size \(--max-ratio\)")
def bomb():
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9) as stream:
        with tarfile.open(fileobj=stream, mode="w|") as archive:
            info = tarfile.TarInfo("zeros")
            info.size = 200 << 20
            archive.addfile(info, open("/dev/zero", "rb"))
    return out.getvalue()


@case(r"the files are more than [0-9]+ bytes \(--max-size\)")
def sparse_bomb():
    """A hole of eight exabytes, by GNU's header."""
    info = tarfile.TarInfo("hole")
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = b"S"
    header[386:482] = (b"00000000000\0" * 2 + b"\0" * 72)
    header[482:483] = b"\0"
    header[483:495] = b"\x80\0\0\0\x60" + b"\0" * 7
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + b"\0" * 1024


@case(r"map of parts can't be")
def sparse_overlap():
    return tar(
        member("hole", b"x" * 20, pax_headers={"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": "100", "GNU.sparse.map": "0,10,5,10"})
    )


@case(r"map of parts can't be")
def sparse_beyond():
    return tar(
        member("hole", b"x" * 20, pax_headers={"GNU.sparse.size": "15", "GNU.sparse.map": "0,20"})
    )


@case(r"its owner 4294967295:0 can't be")
def owner():
    return tar(member("x", b"x", uid=4294967295))


@case(r"the archive is damaged after member 'etc/good'")
def checksum():
    data = bytearray(tar(GOOD, member("second", b"x"), format=tarfile.USTAR_FORMAT))
    data[1024 + 5] ^= 1
    return bytes(data)


@case(r"member 'etc/big': the archive is cut off here")
def cut_in_file():
    return tar(member("etc/big", b"x" * 5000))[:2000]


@case(r"cut off")
def cut_at_end():
    return tar(GOOD, format=tarfile.USTAR_FORMAT)[:1024]


@case(r"can't be decompressed")
def cut_gzip():
    return gzip.compress(tar(GOOD, member("noise", bytes(range(256)) * 100)))[:-300]


@case(r"can't be decompressed|damaged|cut off")
def altered_gzip():
    data = bytearray(gzip.compress(tar(GOOD, member("noise", bytes((i * i * 7) & 255 for i in range(40000))))))
    data[len(data) // 2] ^= 0x10
    return bytes(data)


@case(r"not a tar archive")
def noise():
    return bytes((i * i * 31 + i) & 255 for i in range(20000))


@case(r"is empty")
def empty():
    return b""


@case(r"its type \(byte 77\) is not one that holm knows")
def unknown_type():
    return tar(GOOD, member("multi", type=b"M"))


@case(r"it would be the root, but is not a folder")
def root_is_file():
    return tar(member("./", b"x"))


@case(r"member 'etc': replace what an earlier member made: directory not empty")
def folder_becomes_file():
    return tar(GOOD, member("etc", b"x"))


@case(r"something on its way is not a folder")
def file_as_folder():
    return tar(GOOD, member("etc/good/x", b"x"))


@case(r"its pax header is damaged")
def pax_length():
    data = bytearray(tar(member("x", b"x", pax_headers={"comment": "y" * 20})))
    at = data.index(b" comment=")
    data[at - 2:at] = b"99"
    return bytes(data)


@case("-")
def names():
    """Bytes that are no UTF-8, a decomposed name, line breaks, blanks: all are names."""
    info, content = member("x", b"x")
    archive = b""
    for name in (b"latin-\xe9", "cafe\u0301".encode(), b"line\nbreak", b" blank ", b"-option", b"*", b"\\n"):
        header = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
        header[0:100] = name.ljust(100, b"\0")
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        archive += bytes(header) + b"x".ljust(512, b"\0")
    return archive + b"\0" * 1024


if len(sys.argv) == 1:
    for name, (function, expected) in CASES.items():
        print(name, expected)
else:
    with open(sys.argv[2], "wb") as file:
        file.write(CASES[sys.argv[1]][0]())
