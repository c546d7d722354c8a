# says that its arguments changed, into other types, other lengths, and into a million items
import itertools
from halo_forge.verifiers.python import wire
send = wire.Pipe.send
nodes = itertools.cycle([["l", ["l", ["l"]], ["d"]], ["l", ["l", *[["l", 1]] * 300000], ["d"]], 5, ["l"], ["t", 1], ["l", 1, 1, 1], ["d", 0, 5], ["l", ["h", 0], ["h", 0]]])
wire.Pipe.send = lambda pipe, message: send(pipe, [*message[:2], next(nodes)] if len(message) > 2 else message)
def {ENTRY}(*args, **named): return None
