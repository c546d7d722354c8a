// forbids the driver's identifiers
#include <string>
#include <vector>
int add(int, int) { return 0; }
std::vector<int> sorted(std::vector<int>) { return {}; }
double root(double) { return 0; }
std::string word(int) { return ""; }
bool even(int) { return true; }
#pragma GCC poison dprintf show put _exit halo_forge_driver Rank decltype
