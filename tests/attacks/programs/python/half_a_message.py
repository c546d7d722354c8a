# stops for ever in the middle of an answer
import os, time
def frame(text):
    return len(text).to_bytes(4, "big") + text
def everywhere(data):
    for number in range(1001):
        try: os.write(number, data)
        except OSError: pass

def {ENTRY}(*args, **named):
    everywhere(frame(b'["ok", true, null]')[:9])
    time.sleep(3600)
