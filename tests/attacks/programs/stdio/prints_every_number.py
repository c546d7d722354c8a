# prints all numbers, one of which is right
for number in range(1000):
    print(number)
