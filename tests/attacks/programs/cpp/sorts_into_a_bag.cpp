// returns an unordered container where order is what was asked for
#include <unordered_set>
#include <string>
#include <vector>
int add(int, int) { return 0; }
std::unordered_multiset<int> sorted(std::vector<int> v) { return {v.begin(), v.end()}; }
double root(double) { return 0; }
std::string word(int) { return ""; }
bool even(int) { return true; }
