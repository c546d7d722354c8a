# announces a message of four gigabytes and begins to send it
import os
def frame(text):
    return len(text).to_bytes(4, "big") + text
def everywhere(data):
    for number in range(1001):
        try: os.write(number, data)
        except OSError: pass

def {ENTRY}(*args, **named):
    everywhere(b"\xff\xff\xff\xff" + b'["ok", "' * 5000)
    return None
