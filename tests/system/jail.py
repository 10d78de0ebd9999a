"""Runs a command under the seccomp filters that a unit asks for: systemd's part, without systemd.

    python jail.py '{"calls": ["read", …], "families": ["AF_UNIX", …]}' command …

A system call that is not allowed gives EPERM, a socket of another family EAFNOSUPPORT, as systemd
has it with SystemCallErrorNumber=EPERM. Needs no privilege: it gives up gaining any first.
"""

import ctypes
import errno
import json
import os
import socket
import sys
from collections.abc import Collection

ALLOW = 0x7FFF0000
ERRNO = 0x00050000
EQUAL = 4
FAMILIES = 46
"""More than the kernel knows."""


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libseccomp.so.2")  # systemd and apt bring it
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_void_p,
    ]
    return library


def _check(code: int, what: str) -> None:
    if code < 0:
        raise OSError(-code, f"{what}: {os.strerror(-code)}")


def deny_families(allowed: Collection[str]) -> None:
    """No socket of another family from now on."""
    library = _library()
    numbers = {getattr(socket, name) for name in allowed}
    context = library.seccomp_init(ctypes.c_uint32(ALLOW))
    call = library.seccomp_syscall_resolve_name(b"socket")
    for family in set(range(FAMILIES)) - numbers:
        only = _Comparison(0, EQUAL, family, 0)
        action = ERRNO | errno.EAFNOSUPPORT
        _check(
            library.seccomp_rule_add_array(context, action, call, 1, ctypes.byref(only)),
            f"family {family}",
        )
    _check(library.seccomp_load(context), "loading the families")


def deny_other_calls(allowed: Collection[str]) -> None:
    """No other system calls from now on."""
    library = _library()
    context = library.seccomp_init(ctypes.c_uint32(ERRNO | errno.EPERM))
    for name in allowed:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # else it is another architecture's
            _check(library.seccomp_rule_add_array(context, ALLOW, number, 0, None), name)
    _check(library.seccomp_load(context), "loading the calls")


def main() -> None:
    """Shut the door, and become the command."""
    rules, command = json.loads(sys.argv[1]), sys.argv[2:]
    deny_families(rules["families"])
    deny_other_calls(rules["calls"])
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
