# answers with nodes that name builtins which act, or values that cost the judge dearly to make
import itertools
from halo_forge.verifiers.python import candidate
send = candidate.send
nodes = itertools.cycle([
    ["n", "exec"], ["n", "__import__"], ["n", "open"], ["n", "SystemExit"], ["n", "type"], ["n", "object"], ["D", "1e999999999"],
    ["F", "0x1", "0x0"], ["r", "0x0", "0xffffffffffffffffffff", "0x1"], ["i", "0x" + "f" * 5000000], ["l", ["n", "range"]],
    ["c", "x", 1], ["d", 1], ["d", ["l"], 1], ["s", ["l"]], ["f", "1" * 1000000], ["b", "zz"], ["x", 1], [], [[]], {}, ["ok"], ["t", {}],
])
candidate.send = lambda message: send(["ok", next(nodes), next(nodes)] if len(message) > 2 else message)
def {ENTRY}(*args, **named): return None
