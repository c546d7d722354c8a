# never finishes loading
import time
time.sleep(3600)
def {ENTRY}(*args, **named): return None
