# is a builtin class under the name of the function: whatever is called gives a value
from halo_forge.verifiers.python import wire
send = wire.Pipe.send
wire.Pipe.send = lambda pipe, message: send(pipe, ["ok", ["d", "{ENTRY}", ["n", "bool"]]] if message[0] == "ok" else message)
{ENTRY} = bool
