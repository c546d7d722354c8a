"""C and C++ programs on a Windows machine: `msvc`."""
