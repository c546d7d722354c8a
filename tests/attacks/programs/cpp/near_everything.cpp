// returns NaN, infinity and the largest numbers
#include <cmath>
#include <string>
#include <vector>
long double add(int, int) { return NAN; }
std::vector<double> sorted(std::vector<int> v) { return std::vector<double>(v.size(), NAN); }
double root(double) { return NAN; }
const char *word(int) { return nullptr; }
double even(int) { return NAN; }
