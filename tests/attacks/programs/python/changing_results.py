# returns objects that show something else each time they are read
class Changing:
    def __init__(self): self.read = 0
    def __getattr__(self, name):
        if name.startswith("__"): raise AttributeError(name)
        self.read += 1
        return self.read
    def __getitem__(self, key): return self.strange()
    def __iter__(self): return iter([self.strange() for _ in range(3)])
    def __len__(self): return self.strange()
    def __call__(self, *args): return self
    def strange(self):
        self.read += 1
        return self.read
    def __str__(self): return str(self.strange())
changing = Changing()
def {ENTRY}(*args, **named): return changing
