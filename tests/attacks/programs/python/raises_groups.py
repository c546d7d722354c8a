# raises exception groups, whose class wants arguments that others do not
def {ENTRY}(*args, **named): raise ExceptionGroup("passed", [SystemError(), ExceptionGroup("x", [OSError()])])
