# prints a guess without reading its input
print(3, flush=True)
import os

os._exit(0)
