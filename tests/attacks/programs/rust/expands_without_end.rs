// expands a macro to the compiler's memory's end
#![recursion_limit = "100000"]
macro_rules! m { ($($t:tt)*) => { m!($($t)* $($t)* x) } }
m!(x);
{WRONG}
