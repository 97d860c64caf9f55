// malloc and what moves bytes, in a tenth of libc's code. Not compiled for link-time optimisation,
// which would take the names for the built-in functions.
//
// Memory is a row of chunks. Each begins with its size; a free one also ends with it, so that what
// is freed joins its free neighbours. Free chunks stand in lists: one for each size up to 512
// bytes, and above that one for each power of two.
#include <cstddef>
#include <cstdint>

namespace {

constexpr uint32_t kPageBytes = 65536;  // WebAssembly's
constexpr uint32_t kStep = 16;  // sizes are multiples of it, what malloc() answers is aligned to it
constexpr uint32_t kExactBins = 32, kBins = kExactBins + 24;
constexpr uint32_t kUsed = 1, kPreviousUsed = 2, kFlags = kStep - 1;
constexpr int kTries = 32;  // chunks of a list that is no exact one, before a list of larger ones

struct Chunk {
  uint32_t previous_bytes;  // while the chunk before is free; else the end of what it holds
  uint32_t head;            // the size, and flags
  Chunk *next, *back;       // while this chunk is free; else the beginning of what it holds

  uint32_t bytes() const { return head & ~kFlags; }
  Chunk* at(uint32_t offset) {
    return reinterpret_cast<Chunk*>(reinterpret_cast<char*>(this) + offset);
  }
};
constexpr uint32_t kHeadBytes = offsetof(Chunk, next);

Chunk* bins[kBins];
Chunk* end = nullptr;  // a head without anything, where memory ends

uint32_t bin_of(uint32_t bytes) {
  if (bytes < kExactBins * kStep) return bytes / kStep;
  return kExactBins + 22 - static_cast<uint32_t>(__builtin_clz(bytes));  // 512 has 22 zeros
}

void take_out(Chunk* chunk) {
  if (chunk->next != nullptr) chunk->next->back = chunk->back;
  (chunk->back != nullptr ? chunk->back->next : bins[bin_of(chunk->bytes())]) = chunk->next;
}

/// Makes `bytes` at `chunk` a free chunk, with its free neighbours.
void give_back(Chunk* chunk, uint32_t bytes) {
  if (!(chunk->head & kPreviousUsed)) {
    const uint32_t before = chunk->previous_bytes;
    chunk = chunk->at(0 - before);
    take_out(chunk);
    bytes += before;
  }
  Chunk* after = chunk->at(bytes);
  if (!(after->head & kUsed)) {
    take_out(after);
    bytes += after->bytes();
    after = chunk->at(bytes);
  }
  after->previous_bytes = bytes;
  after->head &= ~kPreviousUsed;
  chunk->head = bytes | kPreviousUsed;  // two free chunks are never neighbours
  Chunk*& first = bins[bin_of(bytes)];
  chunk->next = first;
  chunk->back = nullptr;
  if (first != nullptr) first->back = chunk;
  first = chunk;
}

Chunk* find(uint32_t bytes) {
  for (uint32_t bin = bin_of(bytes); bin < kBins; ++bin) {
    int tries = kTries;
    for (Chunk* chunk = bins[bin]; chunk != nullptr && tries-- > 0; chunk = chunk->next) {
      if (chunk->bytes() >= bytes) return chunk;
    }
  }
  return nullptr;
}

extern "C" char __heap_base;

bool grow(uint32_t bytes) {
  const uint32_t pages = (bytes + 2 * kStep + kPageBytes - 1) / kPageBytes;
  const uint32_t old_pages = __builtin_wasm_memory_grow(0, pages);
  if (old_pages == ~uint32_t{0}) return false;
  if (end == nullptr) {
    const auto begin = (reinterpret_cast<uint32_t>(&__heap_base) + kFlags) & ~kFlags;
    end = reinterpret_cast<Chunk*>(begin + kStep - kHeadBytes);
    end->head = kPreviousUsed;
  }
  Chunk* chunk = end;
  end = reinterpret_cast<Chunk*>((old_pages + pages) * kPageBytes - kHeadBytes);
  end->head = kUsed;
  give_back(chunk,
            static_cast<uint32_t>(reinterpret_cast<char*>(end) - reinterpret_cast<char*>(chunk)));
  return true;
}

}  // namespace

extern "C" {

void* malloc(size_t n_bytes) {
  if (n_bytes > INT32_MAX) return nullptr;
  // What is held may reach into the next chunk, up to its head.
  const uint32_t bytes = (n_bytes + kHeadBytes - sizeof(uint32_t) + kFlags) & ~kFlags;
  Chunk* chunk = find(bytes);
  if (chunk == nullptr) {
    if (!grow(bytes)) return nullptr;
    chunk = find(bytes);
  }
  take_out(chunk);
  const uint32_t rest = chunk->bytes() - bytes;
  Chunk* after = chunk->at(bytes);
  if (rest == 0) {
    after->head |= kPreviousUsed;
  } else {
    after->head = kPreviousUsed;
    give_back(after, rest);
  }
  chunk->head = bytes | kUsed | kPreviousUsed;  // the one before a free chunk is never free
  return &chunk->next;
}

void free(void* memory) {
  if (memory == nullptr) return;
  Chunk* chunk = reinterpret_cast<Chunk*>(static_cast<char*>(memory) - kHeadBytes);
  give_back(chunk, chunk->bytes());
}

// What libc++ has for types of larger alignment; src/ has none.
void* aligned_alloc(size_t alignment, size_t n_bytes) {
  return alignment <= kStep ? malloc(n_bytes) : nullptr;
}

void* memcpy(void* __restrict to, const void* __restrict from, size_t n_bytes) {
  return __builtin_memmove(to, from, n_bytes);
}
void* memmove(void* to, const void* from, size_t n_bytes) {
  return __builtin_memmove(to, from, n_bytes);
}
void* memset(void* to, int value, size_t n_bytes) { return __builtin_memset(to, value, n_bytes); }
}
