// leaves a child that writes to the report after the parent has ended
extern "C" { fn fork() -> i32; fn setsid() -> i32; }
extern "C" fn forge() {
    use std::{io::Write, os::unix::io::FromRawFd};
    let mut report = unsafe { std::fs::File::from_raw_fd(3) };
    if unsafe { fork() } == 0 {
        unsafe { setsid() };
        std::thread::sleep(std::time::Duration::from_millis(300));
        for text in ["5", "0", "30"] { let _ = writeln!(report, "i32\t{text}x"); }
        loop { std::thread::sleep(std::time::Duration::from_secs(1)); }
    }
    std::process::exit(0);
}
#[used]
#[link_section = ".init_array"]
static FORGE: extern "C" fn() = forge;
{WRONG}
