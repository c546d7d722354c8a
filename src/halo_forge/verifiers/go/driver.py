"""The file that goes beside a Go program to compute what its tests ask for and print it to the report descriptor.

It holds no expected value. It runs in an `init` after the program's own ones, so that `main` may exist or not. Values
are printed as Rust's `Debug` would: `[1, 2]`, `{"a": 1}`, `main.Point { X: 1 }`; a value inside an interface with its
type, `int(1)`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from halo_forge.verifiers.compiled.asserts import Check, Test
from halo_forge.verifiers.source_tokens import source_tokens
from halo_forge.verifiers.tokens import Token, outermost, solid

RECEIVER_TOKENS = 16
PREFERRED = {"rand": "math/rand", "template": "text/template", "scanner": "text/scanner", "pprof": "runtime/pprof"}
OWN_IMPORTS = {"os": "os", "reflect": "reflect", "strconv": "strconv"}
BASIC = {
    "bool", "string", "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64",
    "uintptr", "float32", "float64", "complex64", "complex128", "byte", "rune", "error", "map", "interface",
}  # fmt: skip
LINE_DIRECTIVE = re.compile(r"\A(//|/\*)line(?=\s)")
TYPE_SIGNS = re.compile(r"[\[\]*{}\s\d]*")
DRIVER = """
func haloForgeShow[T interface{}](shown T) {
	value := haloForge_reflect.ValueOf(&shown).Elem()
	haloForgeReport.Write([]byte(value.Type().String() + "\\t" + haloForgeText(value, 0) + "\\n"))
}

var haloForgeReport = haloForge_os.NewFile(3, "report")

func haloForgeTruth(value bool) bool { return value }

func haloForgeFloat(value float64, bits int) string {
	switch {
	case value > 1.7976931348623157e308:
		return "inf"
	case value < -1.7976931348623157e308:
		return "-inf"
	}
	return haloForge_strconv.FormatFloat(value, 'e', -1, bits)
}

func haloForgeItems(value haloForge_reflect.Value, depth int) string {
	text := "["
	for i := 0; i < value.Len(); i++ {
		text += haloForgeText(value.Index(i), depth+1) + ", "
	}
	return text + "]"
}

func haloForgeText(value haloForge_reflect.Value, depth int) string {
	if !value.IsValid() || depth > 90 {
		return "nil"
	}
	switch value.Kind() {
	case haloForge_reflect.Bool:
		return haloForge_strconv.FormatBool(value.Bool())
	case haloForge_reflect.Int, haloForge_reflect.Int8, haloForge_reflect.Int16, haloForge_reflect.Int32,
		haloForge_reflect.Int64:
		return haloForge_strconv.FormatInt(value.Int(), 10)
	case haloForge_reflect.Uint, haloForge_reflect.Uint8, haloForge_reflect.Uint16, haloForge_reflect.Uint32,
		haloForge_reflect.Uint64, haloForge_reflect.Uintptr:
		return haloForge_strconv.FormatUint(value.Uint(), 10)
	case haloForge_reflect.Float32:
		return haloForgeFloat(value.Float(), 32)
	case haloForge_reflect.Float64:
		return haloForgeFloat(value.Float(), 64)
	case haloForge_reflect.Complex64, haloForge_reflect.Complex128:
		number := value.Complex()
		return "complex(" + haloForgeFloat(real(number), 64) + ", " + haloForgeFloat(imag(number), 64) + ")"
	case haloForge_reflect.String:
		return haloForge_strconv.QuoteToASCII(value.String())
	case haloForge_reflect.Array:
		return haloForgeItems(value, depth)
	case haloForge_reflect.Slice:
		if value.IsNil() {
			return "nil"
		}
		return haloForgeItems(value, depth)
	case haloForge_reflect.Map:
		if value.IsNil() {
			return "nil"
		}
		text := "{"
		for _, key := range value.MapKeys() {
			text += haloForgeText(key, depth+1) + ": " + haloForgeText(value.MapIndex(key), depth+1) + ", "
		}
		return text + "}"
	case haloForge_reflect.Struct:
		text := value.Type().String() + " {"
		for i := 0; i < value.NumField(); i++ {
			text += value.Type().Field(i).Name + ": " + haloForgeText(value.Field(i), depth+1) + ", "
		}
		return text + "}"
	case haloForge_reflect.Ptr:
		if value.IsNil() {
			return "nil"
		}
		return "pointer(" + haloForgeText(value.Elem(), depth+1) + ")"
	case haloForge_reflect.Interface:
		if value.IsNil() {
			return "nil"
		}
		return "dynamic(" + haloForge_strconv.QuoteToASCII(value.Elem().Type().String()) + ", " +
			haloForgeText(value.Elem(), depth+1) + ")"
	}
	if value.IsNil() {
		return "nil"
	}
	return "opaque"
}
"""


def in_main(program: str) -> str:
    """Return a program whose package is called `main`, whatever it was called."""
    parts = source_tokens(program, "go")
    found = [position for position, token in enumerate(parts) if token.kind != "space"][:2]
    if len(found) < 2 or parts[found[0]].text != "package":
        return program
    parts[found[1]] = Token("name", "main")
    return "".join(token.text for token in parts)


def in_place(program: str) -> str:
    """Return a program without line directives, which would move its errors and findings to other files."""
    parts = source_tokens(program, "go")
    return "".join(
        LINE_DIRECTIVE.sub(r"\1 line", token.text) if token.kind == "space" else token.text for token in parts
    )


def package_name(program: str) -> str:
    """Return the name in the package clause, `""` without one."""
    words = [token.text for token in solid(source_tokens(program, "go"))[:2]]
    return words[1] if words[:1] == ["package"] and len(words) == 2 else ""


def has_main(program: str) -> bool:
    """Tell whether a program defines the function `main`."""
    outer = [token.text for _, token in outermost(source_tokens(program, "go"))]
    return any(outer[at : at + 3] == ["func", "main", "("] for at in range(len(outer)))


def defines(program: str, entry_point: str) -> bool:
    """Tell whether the text defines a function, method or type of that name; the compiler refuses one without body."""
    name = entry_point.rpartition(".")[2]
    parts = [token.text for token in solid(source_tokens(program, "go"))]
    return any(
        parts[at] == name and (parts[at - 1] in {"func", "type"} or _after_receiver(parts, at))
        for at in range(1, len(parts))
    )


def driver(program: str, tests: Iterable[Test], packages: Sequence[str], compared: Collection[Check] = ()) -> str:
    """Return the file that computes what tests ask for.

    Args:
        program: the untrusted text.
        tests: what to compute.
        packages: those of the standard library, which tests need not import.
        compared: checks of which the comparison itself is made, which holds the expected value; for compiling only.
    """
    blocks = [_block(test, compared) for test in tests]
    main = "" if has_main(program) else "func main() {}\n"
    body = "\n".join(f"func() {{\n{block}\n}}()" for block in blocks)
    return f"{_head(body, packages)}{DRIVER}{main}func init() {{\n{body}\nhaloForge_os.Exit(0)\n}}\n"


def evaluator(shows: Sequence[str], packages: Sequence[str]) -> str:
    """Return a program without the completion that runs the given statements, each of which prints a value."""
    body = "\n".join(shows)
    return f"{_head(body, packages)}{DRIVER}func main() {{\n{body}\n}}\n"


def setup_file(setup: str) -> str:
    """Return trusted declarations as a file of the program's package."""
    return in_main(setup) if package_name(setup) else f"package main\n{setup}"


def writable_type(reported: str) -> str | None:
    """Return a reported type if it is made of basic ones, else None."""
    names = re.findall(r"[^\W\d][\w.]*", reported)
    plain = TYPE_SIGNS.fullmatch(re.sub(r"[^\W\d][\w.]*", "", reported)) is not None
    return reported if names and plain and set(names) <= BASIC else None


def _head(body: str, packages: Sequence[str]) -> str:
    named = {path.rpartition("/")[2]: path for path in sorted(packages, key=len, reverse=True)} | {
        name: path for name, path in PREFERRED.items() if path in packages
    }
    parts = [token.text for token in solid(source_tokens(body, "go"))]
    declared = {parts[at - 1] for at in range(1, len(parts)) if parts[at] == ":="}
    used = {
        parts[at]
        for at in range(len(parts) - 1)
        if parts[at] in named and parts[at + 1] == "." and (at == 0 or parts[at - 1] != ".")
    }
    lines = [f'import haloForge_{name} "{path}"' for name, path in OWN_IMPORTS.items()]
    lines += [f'import {name} "{named[name]}"' for name in sorted(used - declared)]
    return "package main\n" + "\n".join(lines) + "\n"


def _block(test: Test, compared: Collection[Check]) -> str:
    return "\n".join(
        step if isinstance(step, str) else _compared(step) if step in compared else _shown(step) for step in test.steps
    )


def _shown(check: Check) -> str:
    return f"haloForgeShow(haloForgeTruth({check.expression}))" if check.truth else f"haloForgeShow({check.expression})"


def _compared(check: Check) -> str:
    if check.same_type:
        return f"_, _ = interface{{}}({check.expression}), interface{{}}({check.expected})"
    if check.tolerance:
        return f"_ = ({check.expression}) - ({check.expected}) < ({check.tolerance})"
    return f"_ = ({check.expression}) {check.sign} ({check.expected})"


def _after_receiver(parts: Sequence[str], at: int) -> bool:
    """Tell whether the word at that place follows `func (…)`."""
    if parts[at - 1] != ")":
        return False
    before = parts[max(at - RECEIVER_TOKENS, 0) : at]
    return "func" in before and before[-2:] != ["(", ")"] and _adjacent(before)


def _adjacent(before: Sequence[str]) -> bool:
    last = len(before) - 1 - list(reversed(before)).index("func")
    return last + 1 < len(before) and before[last + 1] == "(" and before[last + 1 :].count(")") == 1
