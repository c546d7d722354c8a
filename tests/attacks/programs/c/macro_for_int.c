// redefines types and keywords after its own code
int add(int a, int b) { (void)a; (void)b; return 0; }
double root(double x) { return 0 * x; }
const char *word(int n) { (void)n; return ""; }
#define int float
#define long
#define return for(;;)
#define void int
#define inline
