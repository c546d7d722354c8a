# fills every folder it may write to, with many files and with large ones
import os
def {ENTRY}(*args, **named):
    for folder in ("/work", "/tmp", "/dev/shm", "/job", "/run"):
        for number in range(5000):
            try: open(f"{folder}/{number}", "wb").write(bytes(1 << (number % 20)))
            except OSError: pass
    return None
