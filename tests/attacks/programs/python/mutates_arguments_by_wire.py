# says that its arguments changed, into other types, other lengths, and into a million items
import itertools
from halo_forge.verifiers.python import candidate
send = candidate.send
nodes = itertools.cycle([["l", ["l", ["l"]], ["d"]], ["l", ["l", *[["l", 1]] * 300000], ["d"]], 5, ["l"], ["t", 1], ["l", 1, 1, 1], ["d", 0, 5], ["l", ["h", 0], ["h", 0]]])
candidate.send = lambda message: send([*message[:2], next(nodes)] if len(message) > 2 else message)
def {ENTRY}(*args, **named): return None
