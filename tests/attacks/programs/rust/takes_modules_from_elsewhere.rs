// includes its own source and devices as modules
#[path = "/dev/null"]
mod nothing;
#[path = "program.rs"]
mod again;
{WRONG}
