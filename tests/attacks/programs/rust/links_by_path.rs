// passes options, scripts and paths to the linker as names of libraries
#[link(name = ":../../../../../job/program.rs", modifiers = "+verbatim")]
extern "C" {}
#[link(name = "c,-o,/work/x,--version")]
extern "C" {}
#[link(name = "/etc/passwd", kind = "static", modifiers = "+whole-archive")]
extern "C" {}
{WRONG}
