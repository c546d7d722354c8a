// nests types until the compiler gives up
#![recursion_limit = "65535"]
#![type_length_limit = "99999999"]
struct A<T>(T);
fn f<T>(t: T, n: u32) -> u32 { if n == 0 { 0 } else { f(A(A(t)), n - 1) } }
fn main() { println!("{}", f(1, 9)); }
{WRONG}
