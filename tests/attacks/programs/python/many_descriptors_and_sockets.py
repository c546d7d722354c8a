# opens as many files, pipes and sockets as it can, and listens where others might connect
import os, socket
kept = []
for number in range(1000):
    try:
        kept.append(os.pipe())
        kept.append(socket.socket(socket.AF_UNIX))
        kept[-1].bind(f"\0halo-forge-uid-{64100 + number}")
    except OSError: pass
def {ENTRY}(*args, **named): return None
