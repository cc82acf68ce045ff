"""A file system without working locks, as far as a process can tell: the kernel refuses it every lock of a file.

A seccomp filter answers `fcntl(F_SETLK)` and its kin with ENOLCK, as an NFS mount does whose lock daemon is away. It
holds for this process and its children, and cannot be taken back.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_FCNTL = {"x86_64": 72, "aarch64": 25}
_LOCKING = (5, 6, 7, 36, 37, 38)
"""F_GETLK, F_SETLK, F_SETLKW, and the same of open file descriptions."""


def refuse_locks() -> None:
    """Let every lock of this process fail from now on."""
    program = [(_LOAD, 0, 0, 0), (_JUMP_EQUAL, 0, len(_LOCKING) + 1, _FCNTL[platform.machine()]), (_LOAD, 0, 0, 24)]
    for index, command in enumerate(_LOCKING):
        program.append((_JUMP_EQUAL, len(_LOCKING) - index, 0, command))
    program += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERRNO | errno.ENOLCK)]
    filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
    whole = struct.pack("HxxxxxxP", len(program), ctypes.addressof(filters))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, whole):
        raise OSError(ctypes.get_errno(), "seccomp")
