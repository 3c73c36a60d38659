#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlinux.py BZIMAGE OUTPUT: the ELF file packed in a bzImage.

Where it lies is in the image's header (Documentation/arch/x86/boot.rst): setup_sects at 0x1f1, payload_offset and
payload_length at 0x248, relative to the end of the setup code.  Debian packs by xz.
"""
import lzma
import struct
import sys

image = open(sys.argv[1], "rb").read()
setup = (image[0x1F1] or 4) + 1
offset, length = struct.unpack_from("<II", image, 0x248)
payload = image[setup * 512 + offset:][:length]
if payload[:6] != b"\xfd7zXZ\0":
    sys.exit("the kernel is not packed by xz")
elf = lzma.LZMADecompressor().decompress(payload)
if elf[:4] != b"\x7fELF":
    sys.exit("no ELF file inside")
open(sys.argv[2], "wb").write(elf)
