// has the assembler write more than there is room for
std::arch::global_asm!(".rept 100000", ".fill 0x7fffff, 8, 1", ".endr");
{WRONG}
