# overflows the C stack
import sys
sys.setrecursionlimit(10**9)
def {ENTRY}(*args, **named):
    value = None
    for _ in range(10**6): value = [value]
    return {ENTRY}(repr(value))
