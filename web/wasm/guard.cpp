// What the libraries end in when all is lost: a trap, which the page sees as an exception.
#include <cstdint>

// Debian's compiler runtime for WebAssembly was built with stack protectors, for which wasi-libc
// has no support.
extern "C" {
uintptr_t __stack_chk_guard = 0x5bd1e995u;
[[noreturn]] void __stack_chk_fail() { __builtin_trap(); }
}

// libc++'s own prints before it traps, and brings all of printf for that.
_LIBCPP_BEGIN_NAMESPACE_STD
[[noreturn]] void __libcpp_verbose_abort(const char*, ...) noexcept { __builtin_trap(); }
_LIBCPP_END_NAMESPACE_STD
