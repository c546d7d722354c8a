# returns an object that sleeps when somebody asks for its class
import time
class Slow:
    @property
    def __class__(self): time.sleep(3600)
def {ENTRY}(*args, **named): return Slow()
