"""The source that goes behind a Rust program to compute what its tests ask for and print it to the report descriptor.

It holds no expected value. Its `main` takes the place of the program's, which is renamed. Names are written out from
`::std`, as a program may hide the prelude.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from halo_forge.verifiers.compiled.asserts import Check, Test
from halo_forge.verifiers.source_tokens import source_tokens
from halo_forge.verifiers.tokens import Token, outermost, solid

MAIN = "halo_forge_main"
SHEBANG = re.compile(r"#!(?!\s*\[)[^\n]*")
FRONT_MATTER = re.compile(r"\A(\s*)---[^\n]*\n(?:.*?\n)?---[ \t]*(?=\n|\Z)", re.DOTALL)
DRIVER = """
mod halo_forge_driver {
    pub fn entry<T: ::std::process::Termination>(_: fn() -> T) {}
    pub fn truth(value: bool) -> bool { value }
    pub fn elements<T: ::std::fmt::Debug, V: ::std::convert::AsRef<[T]>>(values: V) {
        show::<[T]>(::std::convert::AsRef::<[T]>::as_ref(&values))
    }
    pub fn show<T: ?::std::marker::Sized + ::std::fmt::Debug>(value: &T) {
        let printed = ::std::format!("{:?}", value).replace('\\n', "\\\\n");
        let line = ::std::format!("{}\\t{}\\n", ::std::any::type_name::<T>(), printed);
        let file = unsafe { <::std::fs::File as ::std::os::unix::io::FromRawFd>::from_raw_fd(3) };
        let mut report = ::std::mem::ManuallyDrop::new(file);
        ::std::io::Write::write_all(&mut *report, line.as_bytes()).unwrap();
    }
}
"""
PATHS = {
    "Arc": "std::sync", "BTreeMap": "std::collections", "BTreeSet": "std::collections",
    "BinaryHeap": "std::collections", "Cell": "std::cell", "Cow": "std::borrow", "Duration": "std::time",
    "HashMap": "std::collections", "HashSet": "std::collections", "Ipv4Addr": "std::net", "Mutex": "std::sync",
    "Ordering": "std::cmp", "Rc": "std::rc", "RefCell": "std::cell", "Reverse": "std::cmp",
    "VecDeque": "std::collections", "RandomState": "std::collections::hash_map", "Range": "std::ops",
    "Wrapping": "std::num", "ParseIntError": "std::num", "ParseFloatError": "std::num",
}  # fmt: skip
PRELUDE = {"String", "Vec", "Option", "Result", "Box"}
PRIMITIVES = {
    "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize", "f32", "f64", "bool",
    "char", "str", "mut",
}  # fmt: skip
TYPE_PATH = re.compile(r"[A-Za-z_]\w*(?:::[A-Za-z_]\w*)*")
TYPE_SIGNS = re.compile(r"[\s<>\[\](),;&\d]*")
MAX_TYPE_CHARS = 200
SIGNATURE_TOKENS = 300


def plain_program(text: str) -> str:
    """Blank a first line `#!…` and a cargo script's manifest, which are not part of the language."""
    text = SHEBANG.sub("", text, count=1) if SHEBANG.match(text) else text
    manifest = FRONT_MATTER.match(text)
    return "\n" * manifest[0].count("\n") + text[manifest.end() :] if manifest else text


def has_main(parts: Sequence[Token]) -> bool:
    """Tell whether a program's tokens define `main` at their outermost level."""
    outer = [token.text for _, token in outermost(parts)]
    return ("fn", "main") in pairwise(outer)


def with_driver(program: str, setup: str, tests: Iterable[Test], *, compare: bool) -> str:
    """Return a program with the driver behind it.

    Args:
        program: the untrusted text.
        setup: trusted statements or items that run before the tests.
        tests: what to compute.
        compare: make the assertions themselves, which hold the expected values, instead of printing one side.
    """
    parts = source_tokens(program, "rust")
    entry = ""
    if has_main(parts):
        program = renamed_main(parts)
        entry = f"halo_forge_driver::entry({MAIN});"
    blocks = "\n".join(f"{{ {test.text.rstrip().rstrip(';')}; }}" if compare else _block(test) for test in tests)
    body = f"{setup}\n{blocks}"
    if any(token.text == "await" for token in source_tokens(body, "rust")):
        body = f"::tokio::runtime::Runtime::new().unwrap().block_on(async {{ {body} }});"
    return f"{program}\n{DRIVER}fn main() {{ {entry}\n{body}\n}}\n"


def with_probe(program: str, entry_point: str | None) -> str:
    """Return a program that compiles only if it is whole: with a `main`, and with the entry point at its top level."""
    use = f"use self::{entry_point} as _;" if entry_point and entry_point.isidentifier() else ""
    if has_main(source_tokens(program, "rust")):
        return f"{program}\nconst _: () = {{ {use} }};\n" if use and entry_point != "main" else program
    return f"{program}\nfn main() {{ {use} }}\n"


def evaluator(setup: str, shows: Sequence[str]) -> str:
    """Return a program without the completion that runs the given statements, most of which print a value."""
    names = {token.text for token in source_tokens(setup + " ".join(shows), "rust")}
    uses = "".join(f"use {path}::{name};\n" for name, path in PATHS.items() if name in names)
    return f"{uses}{DRIVER}fn main() {{\n{setup}\n" + "\n".join(shows) + "\n}\n"


def writable_type(reported: str) -> str | None:
    """Return a reported type as a program can write it, or None for one that is not the standard library's."""
    if len(reported) > MAX_TYPE_CHARS or not TYPE_SIGNS.fullmatch(TYPE_PATH.sub("", reported)):
        return None
    unknown: list[str] = []

    def written(match: re.Match[str]) -> str:
        name = match[0].rpartition("::")[2]
        if match[0] in PRIMITIVES or ("::" in match[0] and name in PRELUDE):
            return name
        if "::" in match[0] and name in PATHS:
            return f"{PATHS[name]}::{name}"
        unknown.append(name)
        return name

    text = TYPE_PATH.sub(written, reported)
    return None if unknown else text


def renamed_main(parts: Sequence[Token]) -> str:
    """Return a program's text with its `main` under another name; attributes such as `#[tokio::main]` stay."""
    text = []
    depth = 0
    before = ["", ""]
    for token in parts:
        if token.kind != "space":
            if depth or (token.text == "[" and (before[-1] == "#" or before == ["#", "!"])):
                depth += (token.text == "[") - (token.text == "]")
            before = [before[-1], token.text]
        text.append(MAIN if token.text == "main" and not depth else token.text)
    return "".join(text)


def solid_program(program: str) -> list[Token]:
    """Return a program's tokens without space and comments."""
    return solid(source_tokens(program, "rust"))


def defines_body(parts: Sequence[Token], name: str) -> bool:
    """Tell whether a function of that name has a body; a signature that ends with `;` has none.

    Args:
        parts: the solid tokens of a program.
        name: the function.
    """
    for position in range(1, len(parts)):
        if parts[position].text == name and parts[position - 1].text == "fn":
            signature = outermost(parts[position : position + SIGNATURE_TOKENS])
            if next((token.text for _, token in signature if token.text in {"{", ";"}), ";") == "{":
                return True
    return False


def _block(test: Test) -> str:
    return "{ " + " ".join(_shown(step) if isinstance(step, Check) else step for step in test.steps) + " }"


def _shown(check: Check) -> str:
    value = f"halo_forge_driver::truth({check.expression})" if check.truth else f"({check.expression})"
    return f"halo_forge_driver::show(&{value});"
