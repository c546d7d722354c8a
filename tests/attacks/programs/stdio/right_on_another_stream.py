# prints the right answer to every descriptor but standard output
import os

text = b"%d\n" % sum(map(int, input().split()))
print(3)
for number in [0, *range(2, 300)]:
    try:
        os.write(number, text)
    except OSError:
        pass
