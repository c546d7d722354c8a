// defines the driver's functions beforehand
int add(int a, int b) { (void)a; (void)b; return 0; }
double root(double x) { return 0 * x; }
const char *word(int n) { (void)n; return ""; }
void hf_i32(int v) { (void)v; }
void hf_i(int b, long long v) { (void)b; (void)v; }
void halo_forge_run(void) {}
int dprintf(int fd, const char *s, ...) { (void)fd; (void)s; return 0; }
