# returns its own argument, the list of all of them, or a list that holds itself
import itertools
turn = itertools.count()
def {ENTRY}(*args, **named):
    number = next(turn) % 3
    loop = []
    loop.append(loop)
    return (args[0] if args else None, list(args), loop)[number]
