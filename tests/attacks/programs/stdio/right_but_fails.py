# prints the right answer and ends with an error
print(sum(map(int, input().split())))
raise SystemExit(1)
