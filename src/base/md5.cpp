#include "base/md5.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

namespace handloom {
namespace {

static_assert(std::endian::native == std::endian::little, "words are read as they lie");

constexpr size_t kBlockBytes = 64;

struct State {
  uint32_t a = 0x67452301, b = 0xefcdab89, c = 0x98badcfe, d = 0x10325476;
};

/// floor(2^32 * |sin(i + 1)|), as RFC 1321 tabulates it.
constexpr std::array<uint32_t, 64> kSines = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

constexpr int kTurns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

/// The function of round `I / 16`. Written with the fewest steps that wait for `b`, the newest
/// word.
template <size_t I>
inline uint32_t mix(uint32_t b, uint32_t c, uint32_t d) {
  if constexpr (I < 16) return d ^ (b & (c ^ d));
  if constexpr (I < 32) return (b & d) + (c & ~d);  // no bit is in both: a sum, and fewer waits
  if constexpr (I < 48) return b ^ (c ^ d);
  return c ^ (b | ~d);
}

/// Which word of the block step `I` takes.
constexpr size_t word_of(size_t i) {
  constexpr size_t kFactor[4] = {1, 5, 3, 7}, kFirst[4] = {0, 1, 5, 0};
  return (kFactor[i / 16] * i + kFirst[i / 16]) % 16;
}

template <size_t I>
inline void step(uint32_t& a, uint32_t b, uint32_t c, uint32_t d, const uint32_t (&words)[16]) {
  const uint32_t sum = a + kSines[I] + words[word_of(I)] + mix<I>(b, c, d);
  a = b + std::rotl(sum, kTurns[I / 16][I % 4]);
}

/// Four steps, in which each of the four words is the one that changes.
template <size_t I>
inline void four_steps(State& s, const uint32_t (&words)[16]) {
  auto& [a, b, c, d] = s;
  step<I>(a, b, c, d, words);
  step<I + 1>(d, a, b, c, words);
  step<I + 2>(c, d, a, b, words);
  step<I + 3>(b, c, d, a, words);
}

template <size_t... I>
inline void all_steps(State& s, const uint32_t (&words)[16], std::index_sequence<I...>) {
  (four_steps<4 * I>(s, words), ...);
}

void absorb(State& state, const std::byte* block) {
  uint32_t words[16];
  std::memcpy(words, block, kBlockBytes);
  State s = state;
  all_steps(s, words, std::make_index_sequence<16>());
  state.a += s.a;
  state.b += s.b;
  state.c += s.c;
  state.d += s.d;
}

}  // namespace

std::string md5_hex(std::span<const std::byte> bytes) {
  State state;
  const size_t whole = bytes.size() / kBlockBytes * kBlockBytes;
  for (size_t at = 0; at < whole; at += kBlockBytes) absorb(state, bytes.data() + at);

  // The rest, a one bit, zeros, and the length in bits: one block more, or two.
  std::byte tail[2 * kBlockBytes] = {};
  const size_t rest = bytes.size() - whole;
  if (rest > 0) std::memcpy(tail, bytes.data() + whole, rest);
  tail[rest] = std::byte{0x80};
  const size_t tail_bytes = rest + 9 <= kBlockBytes ? kBlockBytes : 2 * kBlockBytes;
  const uint64_t bits = uint64_t{bytes.size()} * 8;
  std::memcpy(tail + tail_bytes - 8, &bits, 8);
  for (size_t at = 0; at < tail_bytes; at += kBlockBytes) absorb(state, tail + at);

  std::string hex;
  for (const uint32_t word : {state.a, state.b, state.c, state.d}) {
    for (uint32_t byte = 0; byte < 4; ++byte) {
      const uint32_t value = word >> (8 * byte) & 0xffu;
      hex += "0123456789abcdef"[value >> 4];
      hex += "0123456789abcdef"[value & 15];
    }
  }
  return hex;
}

}  // namespace handloom
