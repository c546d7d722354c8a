# answers with handles that were never given, negative ones, and handles that are no numbers
import itertools
from halo_forge.verifiers.python import candidate
send = candidate.send
nodes = itertools.cycle([["h", 10**9], ["h", -1], ["h", "0"], ["h", None], ["h"], ["o", 5], ["o", 0, 1, 2], ["h", True]])
candidate.send = lambda message: send(["ok", next(nodes), None] if message[0] == "ok" and len(message) > 2 else message)
def {ENTRY}(*args, **named): return None
