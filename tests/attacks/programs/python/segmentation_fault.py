# crashes the interpreter
import ctypes
def {ENTRY}(*args, **named): return ctypes.string_at(0)
