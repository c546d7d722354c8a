"""C and C++ programs: `gcc`, `clang` and `mingw`."""
