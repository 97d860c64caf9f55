// What the libraries end in when all is lost: a trap, which the page sees as an exception.
#include <cstdint>
#include <cstdlib>
#include <new>

// Debian's compiler runtime for WebAssembly was built with stack protectors, for which wasi-libc
// has no support.
extern "C" {
uintptr_t __stack_chk_guard = 0x5bd1e995u;
[[noreturn]] void __stack_chk_fail() { __builtin_trap(); }

// libc++abi's own prints, and brings all of printf for that.
[[noreturn]] void abort_message(const char*, ...) { __builtin_trap(); }
}

// Where memory ends, libc++abi's own would look for a handler among exceptions.
void* operator new(size_t n_bytes) {
  if (void* memory = std::malloc(n_bytes != 0 ? n_bytes : 1)) return memory;
  __builtin_trap();
}
void operator delete(void* memory) noexcept { std::free(memory); }

// libc++'s, the same.
_LIBCPP_BEGIN_NAMESPACE_STD
[[noreturn]] void __libcpp_verbose_abort(const char*, ...) { __builtin_trap(); }
_LIBCPP_END_NAMESPACE_STD
