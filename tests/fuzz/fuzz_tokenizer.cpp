// rooms: base tokenizer
// libs: -lpcre2-8 -lutf8proc
//
// Arbitrary bytes as a tokenizer.json and, after the first NUL, as a text: reading must answer or
// refuse, and what was read must encode, decode and stream without harm.
//
//   clang++-19 -std=c++23 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
//     -DFMT_HEADER_ONLY -Iinclude -Isrc tests/fuzz/fuzz_tokenizer.cpp src/base/*.cpp
//     src/tokenizer/*.cpp -lpcre2-8 -lutf8proc -o build/fuzz/fuzz_tokenizer
//   build/fuzz/fuzz_tokenizer -timeout=10 -rss_limit_mb=4096 NEW_UNITS tests/fuzz/corpus/tokenizer
//
// or tests/fuzz/run, which does this for every fuzz_*.cpp.
#include "support.h"

#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

using fuzz::require;
using handloom::tokenizer::find_invalid_utf8;
using handloom::tokenizer::StreamDecoder;
using handloom::tokenizer::Tokenizer;

void check_decode(const Tokenizer& tokenizer, const std::vector<uint32_t>& ids, bool skip) {
  const auto text = tokenizer.decode(ids, skip);
  StreamDecoder stream(tokenizer, skip);
  std::string streamed;
  bool failed = false;
  for (const uint32_t id : ids) {
    const auto part = stream.push(id);
    failed = failed || !part;
    if (!part) continue;
    require(!find_invalid_utf8(*part));
    streamed += *part;
  }
  const auto rest = stream.finish();
  failed = failed || !rest;
  require(failed == !text.has_value());
  if (!failed) require(streamed + *rest == *text);
}

void check_text(const Tokenizer& tokenizer, std::string_view text) {
  const auto ids = tokenizer.encode(text);
  if (!ids) return;
  for (const uint32_t id : *ids) require(tokenizer.has_id(id));
  check_decode(tokenizer, *ids, false);
  check_decode(tokenizer, *ids, true);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(bytes.find('\0'), bytes.size());
  const auto tokenizer = Tokenizer::parse(bytes.substr(0, end), "fuzz");
  if (!tokenizer) {
    require(tokenizer.error().message.starts_with("fuzz: "));
    return 0;
  }
  check_text(*tokenizer, end < bytes.size() ? bytes.substr(end + 1) : std::string_view());
  check_text(*tokenizer, " Hello,  world!\n\n\tdon't 12345 <s>x</s>  ");
  check_text(*tokenizer,
             "na\xC3\xAFve \xE2\x96\x81\xE2\x96\x81 \xF0\x9F\x91\xA8\xE2\x80\x8D\xF0"
             "\x9F\x91\xA9 e\xCC\x81 \xEC\x95\x88 \xE3\x80\x80\xC4\xB0");
  check_text(*tokenizer, std::string(64, 'a') + std::string(40, ' ') + "<0xE2><0x96>\xEF\xBF\xBD");
  std::vector<uint32_t> all;
  for (uint32_t id = 0; id < tokenizer->vocab_size() && all.size() < 600; ++id) {
    if (tokenizer->has_id(id)) all.push_back(id);
  }
  check_decode(*tokenizer, all, false);
  return 0;
}
