# raises exceptions whose text, arguments and class are themselves traps
class Trap(Exception):
    def __str__(self): raise SystemExit(0)
    __repr__ = __str__
    @property
    def args(self): raise KeyboardInterrupt
def {ENTRY}(*args, **named): raise Trap
