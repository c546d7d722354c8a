// looks for files further along the compiler's path
#include <string>
#include <vector>
int add(int, int) { return 0; }
std::vector<int> sorted(std::vector<int>) { return {}; }
double root(double) { return 0; }
std::string word(int) { return ""; }
bool even(int) { return true; }
#include_next <halo_forge.h>
#if __has_include("/root") || __has_include("/job/tests")
#endif
