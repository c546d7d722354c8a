# reads its input again and again
import sys

while True:
    sys.stdin.read()
