// calls modules and types of its own std, core and alloc
mod std { pub mod fmt { pub trait Debug {} } pub mod process { pub fn exit(_: i32) {} } }
mod core {}
mod alloc {}
type Result = i32;
struct Option;
{WRONG}
