// keeps the compiler busy with templates
#include <string>
#include <vector>
int add(int, int) { return 0; }
std::vector<int> sorted(std::vector<int>) { return {}; }
double root(double) { return 0; }
std::string word(int) { return ""; }
bool even(int) { return true; }
template <int N> struct Bomb { typedef typename Bomb<N + 1>::type type; };
template <int A, int B> struct Wide { static const int value = Wide<A - 1, B>::value + Wide<A - 1, B * 2 + A>::value; };
template <int B> struct Wide<0, B> { static const int value = B; };
int wide = Wide<22, 1>::value;
