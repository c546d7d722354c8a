"""The include lines a program starts with, as far as they name standard headers.

What is precompiled for a program is never more than these lines ask for, so a program that forgot an include fails as
it would without any precompiled header. The C and C++ standards allow standard headers in any order and any number of
times; therefore a header made of a part of a block, in another order, stands for it: the program's own lines then
bring the rest.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

INCLUDE = re.compile(r"[ \t]*#[ \t]*include[ \t]*<(?P<name>[A-Za-z0-9_.+/-]+)>[ \t]*(?P<rest>.*)")
COMMENT = re.compile(r"//|/\*")
ODD = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\\]|\?\?")
LONGEST_BLOCK_CHARS = 20_000

C_NAMES = """
assert.h complex.h ctype.h errno.h fenv.h float.h inttypes.h iso646.h limits.h locale.h math.h setjmp.h signal.h
stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h string.h tgmath.h
threads.h time.h uchar.h wchar.h wctype.h
"""
CPP_NAMES = """
algorithm any array atomic barrier bit bits/stdc++.h bitset cassert ccomplex cctype cerrno cfenv cfloat charconv
chrono cinttypes ciso646 climits clocale cmath codecvt compare complex concepts condition_variable coroutine csetjmp
csignal cstdalign cstdarg cstdbool cstddef cstdint cstdio cstdlib cstring ctgmath ctime cuchar cwchar cwctype deque
exception execution expected filesystem format forward_list fstream functional future generator initializer_list
iomanip ios iosfwd iostream istream iterator latch limits list locale map memory memory_resource mutex new numbers
numeric optional ostream print queue random ranges ratio regex scoped_allocator semaphore set shared_mutex
source_location span spanstream sstream stack stacktrace stdexcept stdfloat stop_token streambuf string string_view
strstream syncstream system_error thread tuple type_traits typeindex typeinfo unordered_map unordered_set utility
valarray variant vector version
"""
C_HEADERS = frozenset(C_NAMES.split())
CPP_HEADERS = frozenset(CPP_NAMES.split())
STANDARD_HEADERS = C_HEADERS | CPP_HEADERS


def leading_block(source: str) -> tuple[str, ...]:
    """Return the standard headers included before anything else in a source, each once, in order.

    Blank lines and comments are skipped. Anything else ends the block: another header, another directive, a control
    character, a backslash or `??` (either may join lines).
    """
    return tuple(dict.fromkeys(include["name"] for include in _leading_includes(source)))


def without_leading(source: str, names: Collection[str]) -> str:
    """Blank the leading includes of these headers, so that the compiler does not read them again; columns stay.

    Before anything is defined, including a standard header a second time changes nothing. It costs, though, where it
    has no include guard: `bits/stdc++.h` has every header that it names opened once more.
    """
    kept: list[str] = []
    position = 0
    for include in _leading_includes(source):
        if include["name"] in names:
            kept += [source[position : include.start()], " " * (include.start("rest") - include.start())]
            position = include.start("rest")
    return "".join([*kept, source[position:]])


def _leading_includes(source: str) -> Iterator[re.Match[str]]:
    """Yield the include lines of the leading block."""
    in_comment = False
    start = 0
    end = source.find("\n")
    while 0 <= end < LONGEST_BLOCK_CHARS:
        text = source[start:end].removesuffix("\r")
        if ODD.search(text):
            return
        include = None if in_comment else INCLUDE.fullmatch(source, start, start + len(text))
        rest, in_comment = _without_comments(include["rest"] if include else text, in_comment)
        if rest or (include and include["name"] not in STANDARD_HEADERS):
            return
        if include:
            yield include
        start, end = end + 1, source.find("\n", end + 1)


def _without_comments(text: str, in_comment: bool) -> tuple[str, bool]:
    """Return what of a line is neither comment nor white space, and whether a comment goes on behind it."""
    kept = ""
    while True:
        if in_comment:
            _, closed, text = text.partition("*/")
            if not closed:
                return kept, True
        mark = COMMENT.search(text)
        if mark is None or mark[0] == "//":
            return kept + text[: mark.start() if mark else None].strip(), False
        kept += text[: mark.start()].strip()
        text, in_comment = text[mark.end() :], True
