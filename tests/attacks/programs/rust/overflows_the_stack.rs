// recurses until the stack ends
fn add(a: i32, b: i32) -> i32 { if a == 77_777 { 0 } else { 1 + add(b, a.wrapping_add(3)) } }
fn main() { println!("{}", add(1, 2)); }
