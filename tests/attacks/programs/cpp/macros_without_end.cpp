// grows a macro to billions of tokens
#include <string>
#include <vector>
int add(int, int) { return 0; }
std::vector<int> sorted(std::vector<int>) { return {}; }
double root(double) { return 0; }
std::string word(int) { return ""; }
bool even(int) { return true; }
#define A x,x,x,x,x,x,x,x,x,x
#define B A,A,A,A,A,A,A,A,A,A
#define C B,B,B,B,B,B,B,B,B,B
#define D C,C,C,C,C,C,C,C,C,C
#define E D,D,D,D,D,D,D,D,D,D
#define F E,E,E,E,E,E,E,E,E,E
#define G F,F,F,F,F,F,F,F,F,F
int x, y[] = {G, G, G, G};
