// asks for an array that no address reaches
static HUGE: [u64; 1 << 45] = [1; 1 << 45];
fn main() { println!("{}", HUGE[7]); }
{WRONG}
