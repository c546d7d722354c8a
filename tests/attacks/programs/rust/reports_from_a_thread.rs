// floods the report from a thread while the checks are computed
extern "C" fn forge() {
    std::thread::spawn(|| {
        use std::{io::Write, os::unix::io::FromRawFd};
        let mut report = unsafe { std::fs::File::from_raw_fd(3) };
        loop { let _ = report.write_all(b"i32\t5\n"); }
    });
}
#[used]
#[link_section = ".init_array"]
static FORGE: extern "C" fn() = forge;
{WRONG}
