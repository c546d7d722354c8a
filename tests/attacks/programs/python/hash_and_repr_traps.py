# returns dictionaries and sets whose keys are traps when hashed, compared or shown
class Key:
    def __hash__(self): return hash(1)
    def __eq__(self, other): raise SystemExit(0)
    def __repr__(self): raise KeyboardInterrupt
class Text(str):
    def __hash__(self): raise SystemExit(0)
    def __eq__(self, other): return True
def {ENTRY}(*args, **named):
    try: return [{Key(): 1}, {1, Key()}, [Key()], (Key(),)][len(repr(args)) % 4]
    except SystemExit: return {Key(): Key()}
