// promises definitions that do not exist
#include <string>
#include <vector>
extern int add(int, int);
extern std::vector<int> sorted(std::vector<int>);
extern double root(double);
extern std::string word(int);
extern bool even(int);
int main() {}
