# prints until it is stopped
while True:
    print(3, flush=True)
