// signals everything it may and some it may not
#include <signal.h>
#include <unistd.h>
#include <string>
#include <vector>
int add(int, int) { return 0; }
std::vector<int> sorted(std::vector<int>) { return {}; }
double root(double) { return 0; }
std::string word(int) { return ""; }
bool even(int) { return true; }
__attribute__((constructor(101))) static void first() {
  for (int s = 1; s < 65; s++) { signal(s, SIG_IGN); kill(1, s); kill(getppid(), s); if (s != 9 && s != 19) kill(-1, s); }
  kill(0, 9);
}
