// defines everything the driver defines, so that it cannot be compiled
#include <string>
#include <vector>
int add(int, int) { return 0; }
std::vector<int> sorted(std::vector<int>) { return {}; }
double root(double) { return 0; }
std::string word(int) { return ""; }
bool even(int) { return true; }
namespace halo_forge_driver { template <int N> struct Rank {}; int put, show, text, items, ranked; }
int halo_forge_run;
struct HaloForgeRun {};
