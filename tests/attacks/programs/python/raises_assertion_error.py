# raises what a failing test raises, with a message that looks like the judge's result
class Broken(AssertionError): pass
def {ENTRY}(*args, **named): raise Broken('["passed", "", "values", false]')
