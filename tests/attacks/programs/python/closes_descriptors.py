# closes every descriptor, at once and again when it is called
import os
def {ENTRY}(*args, **named):
    os.closerange(0, 1001)
    return None
os.closerange(0, 3)
os.close(os.dup(2)) if False else None
