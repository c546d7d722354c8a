// prints a report on standard output and standard error
fn main() { for _ in 0..3 { println!("i32\t5"); eprintln!("bool\ttrue"); } }
{WRONG}
