"""The source that goes behind a program to compute what its tests ask for and print it to the report descriptor.

It holds no expected value. It includes nothing, since parsing headers costs more than everything else together;
containers are recognised by their members instead. It runs before `main`, which therefore may exist or not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from halo_forge.verifiers.cpp.tokens import without_comments_and_strings

Language = Literal["c", "c++"]

MAIN = re.compile(r"\bmain\s*\(")
TUPLE = re.compile(r"#\s*include\s*<(tuple|bits/stdc\+\+\.h|functional|map|memory)>")

HEADERS = {
    "array": "array", "deque": "deque", "list": "list", "map": "map", "multimap": "map", "set": "set",
    "multiset": "set", "optional": "optional", "nullopt": "optional", "pair": "utility", "make_pair": "utility",
    "string": "string", "tuple": "tuple", "make_tuple": "tuple", "unordered_map": "unordered_map",
    "unordered_set": "unordered_set", "vector": "vector", "INT_MAX": "climits", "INT_MIN": "climits",
    "LLONG_MAX": "climits", "pow": "cmath", "sqrt": "cmath",
}  # fmt: skip

CPP_INTEGERS = ("signed char", "short", "int", "long", "long long")
CPP_UNSIGNED = ("unsigned char", "unsigned short", "unsigned", "unsigned long", "unsigned long long")


def _cpp_scalars() -> str:
    signed = "".join(
        f'inline void show({kind} v) {{ dprintf(3, "[\\"i\\",%d,%lld]", int(8 * sizeof v), (long long)v); }}\n'
        for kind in (*CPP_INTEGERS, "char")
    )
    unsigned = "".join(
        f'inline void show({kind} v) {{ dprintf(3, "[\\"u\\",%d,%llu]", int(8 * sizeof v), (unsigned long long)v); }}\n'
        for kind in CPP_UNSIGNED
    )
    floating = "".join(
        f'inline void show({kind} v) {{ dprintf(3, "[\\"f\\",\\"%a\\"]", (double)v); }}\n'
        for kind in ("float", "double", "long double")
    )
    return signed + unsigned + floating


CPP_SHOW = (
    r"""
extern "C" int dprintf(int, const char *, ...);
extern "C" void _exit(int) __attribute__((noreturn));
namespace halo_forge_driver {
template <int N> struct Rank : Rank<N - 1> {};
template <> struct Rank<0> {};
template <bool B, class T> struct If {};
template <class T> struct If<true, T> { typedef T type; };
template <class T> struct Enum { static const bool value = __is_enum(T); };
inline void put(const char *s) { dprintf(3, "%s", s); }
inline void text(const char *s, unsigned long n) {
  put("[\"s\",\"");
  for (unsigned long i = 0; i < n; i++) dprintf(3, "%02x", (unsigned)(unsigned char)s[i]);
  put("\"]");
}
template <class T> void show(const T &v);
inline void show(bool v) { dprintf(3, "[\"i\",8,%d]", v ? 1 : 0); }
inline void show(decltype(nullptr)) { put("[\"p\",1]"); }
inline void show(const char *s) { if (s) text(s, __builtin_strlen(s)); else put("[\"p\",1]"); }
inline void show(char *s) { show(static_cast<const char *>(s)); }
"""
    + _cpp_scalars()
    + r"""
template <class T> void items(const char *kind, const T &v) {
  dprintf(3, "[\"%s\"", kind);
  for (const auto &item : v) { put(","); show(item); }
  put("]");
}
template <class T> void ranked(T *const &v, Rank<7>) { dprintf(3, "[\"p\",%d]", v ? 0 : 1); }
template <class T> auto ranked(const T &v, Rank<6>) -> decltype(v.substr(0), v.data(), void()) {
  text(v.data(), v.size());
}
template <class T> auto ranked(const T &v, Rank<5>) -> decltype(v.bucket_count(), v.begin(), void()) {
  items("bag", v);
}
template <class T> auto ranked(const T &v, Rank<4>) -> decltype(v.begin(), v.end(), void()) { items("list", v); }
template <class T> auto ranked(const T &v, Rank<3>) -> decltype(v.first, v.second, void()) {
  put("[\"list\","); show(v.first); put(","); show(v.second); put("]");
}
template <class T> auto ranked(const T &v, Rank<2>) -> decltype(v.has_value(), *v, void()) {
  if (v.has_value()) { put("[\"list\","); show(*v); put("]"); } else put("[\"list\"]");
}
template <class T> auto ranked(T v, Rank<1>) -> decltype(v.flip(), void()) { show(static_cast<bool>(v)); }
template <class T> auto ranked(T v, Rank<0>) -> typename If<Enum<T>::value, void>::type {
  show(static_cast<long long>(v));
}
"""
)
CPP_TUPLE = r"""
template <int I, int N> struct Elements {
  template <class T> static void show_from(const T &v) {
    put(","); show(std::get<I>(v)); Elements<I + 1, N>::show_from(v);
  }
};
template <int N> struct Elements<N, N> { template <class T> static void show_from(const T &) {} };
template <class... T> void ranked(const std::tuple<T...> &v, Rank<7>) {
  put("[\"list\""); Elements<0, sizeof...(T)>::show_from(v); put("]");
}
"""
CPP_END = r"""
template <class T> void show(const T &v) { ranked(v, Rank<7>()); }
}
"""

C_SHOW = r"""
extern int dprintf(int, const char *, ...);
extern void _exit(int) __attribute__((noreturn));
static void hf_i(int bits, long long v) { dprintf(3, "[\"i\",%d,%lld]", bits, v); }
static void hf_u(int bits, unsigned long long v) { dprintf(3, "[\"u\",%d,%llu]", bits, v); }
static inline void hf_bool(_Bool v) { hf_i(8, v); }
static inline void hf_char(char v) { hf_i(8, v); }
static inline void hf_i8(signed char v) { hf_i(8, v); }
static inline void hf_i16(short v) { hf_i(16, v); }
static inline void hf_i32(int v) { hf_i(32, v); }
static inline void hf_long(long v) { hf_i(8 * (int)sizeof v, v); }
static inline void hf_i64(long long v) { hf_i(64, v); }
static inline void hf_u8(unsigned char v) { hf_u(8, v); }
static inline void hf_u16(unsigned short v) { hf_u(16, v); }
static inline void hf_u32(unsigned v) { hf_u(32, v); }
static inline void hf_ulong(unsigned long v) { hf_u(8 * (int)sizeof v, v); }
static inline void hf_u64(unsigned long long v) { hf_u(64, v); }
static inline void hf_double(double v) { dprintf(3, "[\"f\",\"%a\"]", v); }
static inline void hf_pointer(const void *v) { dprintf(3, "[\"p\",%d]", v ? 0 : 1); }
static inline void hf_string(const char *s) {
  if (!s) { hf_pointer(s); return; }
  dprintf(3, "[\"s\",\"");
  for (; *s; s++) dprintf(3, "%02x", (unsigned)(unsigned char)*s);
  dprintf(3, "\"]");
}
#define HF_SHOW(x) _Generic((x), _Bool: hf_bool, char: hf_char, signed char: hf_i8, short: hf_i16, int: hf_i32, \
  long: hf_long, long long: hf_i64, unsigned char: hf_u8, unsigned short: hf_u16, unsigned: hf_u32, \
  unsigned long: hf_ulong, unsigned long long: hf_u64, float: hf_double, double: hf_double, long double: hf_double, \
  char *: hf_string, const char *: hf_string, default: hf_pointer)(x)
"""


def driver(program: str, expressions: Sequence[str], language: Language) -> str:
    """Return the source that prints the value of each expression on a line of its own, to go behind the program."""
    own_main = MAIN.search(without_comments_and_strings(program)) is not None
    start = '\n#line 1 "driver"\n'
    if language == "c":
        shows = "".join(f'#line 1 "tests"\n  HF_SHOW(({text})); dprintf(3, "\\n");\n' for text in expressions)
        run = f"__attribute__((constructor)) static void halo_forge_run(void) {{\n{shows}  _exit(0);\n}}\n"
        return start + C_SHOW + run + ("" if own_main else "int main(void) { return 0; }\n")
    tuples = CPP_TUPLE if TUPLE.search(program) else ""
    shows = "".join(
        f'#line 1 "tests"\n  halo_forge_driver::show(({text})); halo_forge_driver::put("\\n");\n'
        for text in expressions
    )
    run = f"struct HaloForgeRun {{ HaloForgeRun() {{\n{shows}  _exit(0);\n}} }};\nstatic HaloForgeRun halo_forge_run;\n"
    return start + CPP_SHOW + tuples + CPP_END + run + ("" if own_main else "int main() { return 0; }\n")


def headers_for(text: str) -> str:
    """Return the include lines an expression of standard library names needs."""
    names = re.findall(r"[A-Za-z_]\w*", text)
    known = dict.fromkeys(HEADERS[name] for name in names if name in HEADERS)
    if "std" in names and not known:
        return "#include <bits/stdc++.h>\n"
    return "".join(f"#include <{header}>\n" for header in known)


def entry_probe(entry_point: str, language: Language) -> str:
    """Return the source that compiles only behind a program that declares the entry point."""
    if language == "c":
        return f'\n#line 1 "driver"\n_Static_assert(sizeof(&{entry_point}) > 0, "");\n'
    return f'\n#line 1 "driver"\nnamespace halo_forge_driver {{ using ::{entry_point}; }}\n'


def defines(program: str, entry_point: str) -> bool:
    """Tell whether a program's text holds a definition, not merely a declaration, of a function of that name."""
    name = re.escape(entry_point)
    body = rf"\b{name}\s*\([^;{{}}]{{0,1000}}\)[^;{{}}()=]*\{{|\b{name}\s*=\s*\["
    return re.search(body, without_comments_and_strings(program)) is not None
