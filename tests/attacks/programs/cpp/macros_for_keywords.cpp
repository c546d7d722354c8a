// redefines keywords after its own code
#include <string>
#include <vector>
int add(int, int) { return 0; }
std::vector<int> sorted(std::vector<int>) { return {}; }
double root(double) { return 0; }
std::string word(int) { return ""; }
bool even(int) { return true; }
#define if while
#define int long
#define template
#define struct union
#define return
#define namespace
#define const
#define static extern
#define for if
