# returns iterators without end
import itertools
class Endless(list):
    def __iter__(self): return itertools.count()
    def __len__(self): return 1 << 62
class Loop:
    def __iter__(self): return self
    def __next__(self): return 0
    def __getitem__(self, key): return key
    def __len__(self): return 1 << 80
values = itertools.cycle([itertools.count(), Endless(), Loop(), (0 for _ in itertools.count()), range(1 << 200), map(abs, itertools.count())])
def {ENTRY}(*args, **named): return next(values)
