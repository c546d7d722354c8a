# makes every descriptor lead to every other
import os
def {ENTRY}(*args, **named):
    opened = []
    for number in range(64):
        try: opened.append(os.dup(number))
        except OSError: pass
    for number in range(64):
        try: os.dup2(opened[(number * 7 + 1) % len(opened)], number)
        except OSError: pass
    return None
