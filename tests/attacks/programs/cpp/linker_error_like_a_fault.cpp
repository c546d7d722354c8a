// fails to link with words of a broken machine
#include <string>
#include <vector>
int add(int, int) { return 0; }
std::vector<int> sorted(std::vector<int>) { return {}; }
double root(double) { return 0; }
std::string word(int) { return ""; }
bool even(int) { return true; }
extern "C" void cannot_execute_cc1plus_no_such_file_or_directory();
int use = (cannot_execute_cc1plus_no_such_file_or_directory(), 0);
