# empties the builtins of the whole process
import builtins
def {ENTRY}(*args, **named):
    names = vars(builtins)
    names.clear()
    return None
