# prints the right answer and never ends
import time

print(sum(map(int, input().split())), flush=True)
time.sleep(3600)
