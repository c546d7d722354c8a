# takes all memory it can get and keeps it, in several processes
import os
def {ENTRY}(*args, **named):
    for _ in range(4): os.fork()
    kept = []
    while True:
        try: kept.append(bytearray(b"x" * (16 << 20)))
        except MemoryError: return kept[:1] and 0
