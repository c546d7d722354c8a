// keeps the compiler busy with a constant, and silences the lint against that
#![allow(long_running_const_eval)]
const fn f(n: u64) -> u64 { if n < 2 { n } else { f(n - 1) + f(n - 2) } }
const N: u64 = f(70);
fn main() { println!("{}", N); }
{WRONG}
