# prints wrong digits and takes them back with backspaces and carriage returns
total = sum(map(int, input().split()))
print(f"{total + 1}\b\r{total}")
