// returns a text that never ends, and pointers into nowhere
#include <stdlib.h>
#include <string.h>
int *add(int a, int b) { (void)a; (void)b; return 0; }
void *root(double x) { (void)x; return (void *)8; }
char *word(int n) { (void)n; char *s = malloc(64 << 20); memset(s, 65, 64 << 20); return s; }
