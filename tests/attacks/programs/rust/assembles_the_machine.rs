// includes a device without end in assembly
std::arch::global_asm!(".incbin \"/dev/zero\"");
{WRONG}
