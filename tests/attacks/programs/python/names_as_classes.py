# is a builtin class under the name of the function: whatever is called gives a value
from halo_forge.verifiers.python import candidate
send = candidate.send
candidate.send = lambda message: send(["ok", ["d", "{ENTRY}", ["n", "bool"]]] if message[0] == "ok" else message)
{ENTRY} = bool
