// includes files and devices of the machine while it compiles
static PASSWORDS: &[u8] = include_bytes!("/etc/passwd");
static ZERO: &[u8] = include_bytes!("/dev/zero");
static INPUT: &str = include_str!("/dev/stdin");
{WRONG}
