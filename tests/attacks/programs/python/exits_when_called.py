# ends the process with status 0 when it is called
import os
def {ENTRY}(*args, **named): os._exit(0)
