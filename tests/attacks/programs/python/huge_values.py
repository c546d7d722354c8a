# returns the largest values that fit its memory: text, numbers, lists
values = ["x" * (60 << 20), 1 << (8 << 22), [0] * (8 << 20), bytes(60 << 20)]
def {ENTRY}(*args, **named): return values[len(args) % 4]
