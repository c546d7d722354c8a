// starts without main and ends before the driver's
#![no_main]
#[no_mangle]
pub extern "C" fn main(_: i32, _: *const *const u8) -> i32 { 0 }
{WRONG}
