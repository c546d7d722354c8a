// declares its functions without arguments and main as data
int add() { return 0; }
double root() { return 0; }
const char *word() { return 0; }
const char main[] = "\xb8\x3c\0\0\0\x31\xff\x0f\x05";
