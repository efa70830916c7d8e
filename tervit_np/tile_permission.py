"""Whether this process may use the tile registers of Intel AMX.

The registers hold 8 KB, which Linux would have to save at every change of threads. So a process
asks for them once, by the system call arch_prctl, and then has them in all its threads; a process
that it forks has them too, a program that it starts has not. A tile instruction without permission
ends the process (SIGILL).

Compiled kernels come from a cache, so permission is asked when a variant is chosen, not when it is
compiled.

    Linux, Documentation/arch/x86/xstate.rst: "Using dynamically enabled XSTATE features"
"""

import ctypes
import platform
import sys
from collections.abc import Callable
from functools import cache

SystemCall = Callable[[int, object], int]  # (request, argument) -> 0, or -1

_ARCH_PRCTL = 158  # its number on x86-64
_GET_PERMISSION, _REQUEST_PERMISSION = 0x1022, 0x1023
_TILE_DATA = 18  # the number of this part of the processor's state


@cache
def refusal() -> str:
    """Ask for the registers; return why this process has none, or nothing if it has them."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return f"only Linux on x86-64 is asked for it, and this is {platform.platform(terse=True)}"
    return request(_arch_prctl)


def request(system_call: SystemCall) -> str:
    """Request the registers by a system call; return why they are refused, or nothing."""
    if system_call(_REQUEST_PERMISSION, ctypes.c_ulong(_TILE_DATA)) != 0:
        return "Linux refuses the tile registers: they need Linux 5.16 or newer, and a virtual " \
               "machine or container that passes them on"  # fmt: skip
    granted = ctypes.c_uint64(0)
    answered = system_call(_GET_PERMISSION, ctypes.byref(granted)) == 0
    if not answered or not granted.value >> _TILE_DATA & 1:
        return "Linux did not refuse the tile registers, but does not list them as permitted"
    return ""


def _arch_prctl(operation: int, argument: object) -> int:
    function = ctypes.CDLL(None).syscall
    function.restype = ctypes.c_long
    return int(function(ctypes.c_long(_ARCH_PRCTL), ctypes.c_long(operation), argument))
