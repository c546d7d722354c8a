# sends two bytes of a message's length and closes everything
import os
def frame(text):
    return len(text).to_bytes(4, "big") + text
def everywhere(data):
    for number in range(1001):
        try: os.write(number, data)
        except OSError: pass

def {ENTRY}(*args, **named):
    everywhere(b"\0\0")
    os.closerange(0, 1000)
