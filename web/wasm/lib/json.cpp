#include "base/web_host.h"
#include "base/sort.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace nlohmann {
namespace {

constexpr int kMaxDepth = 500;

bool comes_before(const json::member& a, std::string_view key) { return a.key < key; }

/// Bytes of the UTF-8 character that `text` begins with; 0 where it is none (RFC 3629).
size_t character_bytes(std::string_view text) {
  const auto byte = [&](size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const unsigned first = byte(0), second = byte(1);
  if (first < 0x80) return 1;
  const size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  const unsigned lowest = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned highest = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (first < 0xc2 || first > 0xf4 || second < lowest || second > highest) return 0;
  for (size_t i = 2; i < n; ++i) {
    if (byte(i) >> 6 != 2) return 0;
  }
  return n;
}

void append_character(std::string& out, uint32_t code) {
  const auto tail = [&](unsigned shift) {
    out += static_cast<char>(0x80 | ((code >> shift) & 0x3f));
  };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const char c = text[0];
    const size_t n = character_bytes(text);
    if (n == 0) {
      out += "\xef\xbf\xbd";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += text.substr(0, n);
    }
    text.remove_prefix(std::max<size_t>(n, 1));
  }
  out += '"';
}

}  // namespace

/// A parser by recursive descent (RFC 8259). Each read_ answers false where the text is wrong.
class json_reader {
 public:
  explicit json_reader(std::string_view text) : text_(text) {}

  json read() {
    json value;
    if (read_value(value, 0) && peek() == '\0' && text_.empty()) return value;
    value = json();
    value.kind_ = json::kind::discarded;
    return value;
  }

 private:
  /// What comes after white space; '\0' at the end.
  char peek() {
    const size_t at = text_.find_first_not_of(" \t\r\n");
    text_.remove_prefix(std::min(at, text_.size()));
    return text_.empty() ? '\0' : text_[0];
  }

  bool take(char c) {
    if (peek() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  bool take_word(std::string_view word) {
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }

  bool read_value(json& into, int depth) {
    if (depth > kMaxDepth) return false;
    switch (peek()) {
      case '{': return read_object(into, depth);
      case '[': return read_array(into, depth);
      case '"': into = json(std::string()); return read_string(*into.string_);
      case 't': into = json(true); return take_word("true");
      case 'f': into = json(false); return take_word("false");
      case 'n': return take_word("null");
      default: return read_number(into);
    }
  }

  bool read_array(json& into, int depth) {
    into = json::array();
    take('[');
    if (take(']')) return true;
    do {
      if (!read_value(into.array_->emplace_back(), depth + 1)) return false;
    } while (take(','));
    return take(']');
  }

  bool read_object(json& into, int depth) {
    into = json::object();
    take('{');
    if (take('}')) return true;
    json::object_t& members = *into.object_;
    do {
      json::member& member = members.emplace_back();
      if (peek() != '"' || !read_string(member.key) || !take(':')) return false;
      if (!read_value(member.value, depth + 1)) return false;
    } while (take(','));
    // Of the same key given twice the last one stays: it is the first of its run from behind.
    std::ranges::reverse(members);
    handloom::sort_by(members, &json::member::key);
    const auto rest = std::ranges::unique(members, {}, &json::member::key);
    members.erase(rest.begin(), rest.end());
    return take('}');
  }

  std::optional<uint32_t> read_hex() {
    uint32_t code = 0;
    if (text_.size() < 4) return std::nullopt;
    for (const char c : text_.substr(0, 4)) {
      const auto digit = std::string_view("0123456789abcdef")
                             .find(static_cast<char>(c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c));
      if (digit == std::string_view::npos) return std::nullopt;
      code = 16 * code + static_cast<uint32_t>(digit);
    }
    text_.remove_prefix(4);
    return code;
  }

  bool read_escape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    if (!take_word("u")) {
      const size_t which = text_.empty() ? kNames.npos : kNames.find(text_[0]);
      if (which == kNames.npos) return false;
      out += kMeanings[which];
      text_.remove_prefix(1);
      return true;
    }
    auto code = read_hex();
    if (!code || *code >> 10 == 0xdc00 >> 10) return false;
    if (*code >> 10 == 0xd800 >> 10) {  // the first of a pair
      if (!take_word("\\u")) return false;
      const auto second = read_hex();
      if (!second || *second >> 10 != 0xdc00 >> 10) return false;
      code = 0x10000 + ((*code & 0x3ff) << 10) + (*second & 0x3ff);
    }
    append_character(out, *code);
    return true;
  }

  bool read_string(std::string& out) {
    text_.remove_prefix(1);
    while (!text_.empty()) {
      if (take_word("\"")) return true;
      if (take_word("\\")) {
        if (!read_escape(out)) return false;
        continue;
      }
      const size_t n = character_bytes(text_);
      if (n == 0 || static_cast<unsigned char>(text_[0]) < 0x20) return false;
      out += text_.substr(0, n);
      text_.remove_prefix(n);
    }
    return false;
  }

  size_t skip_digits(size_t at) const {
    return std::min(text_.find_first_not_of("0123456789", at), text_.size());
  }

  bool read_number(json& into) {
    const bool is_negative = text_.starts_with('-');
    const size_t first = is_negative ? 1 : 0, whole_end = skip_digits(first);
    if (whole_end == first || (text_[first] == '0' && whole_end > first + 1)) return false;
    size_t end = whole_end;
    if (end < text_.size() && text_[end] == '.') {
      end = skip_digits(whole_end + 1);
      if (end == whole_end + 1) return false;
    }
    if (end < text_.size() && (text_[end] | 0x20) == 'e') {
      size_t digits = end + 1;
      if (digits < text_.size() && (text_[digits] == '+' || text_[digits] == '-')) ++digits;
      end = skip_digits(digits);
      if (end == digits) return false;
    }
    const std::string_view text = text_.substr(0, end);
    text_.remove_prefix(end);
    if (end == whole_end && read_whole(text.substr(first), is_negative, into)) return true;
    const double value = handloom::web::host_parse_number(text.data(), text.size());
    into = json(value);
    return value - value == 0;  // finite
  }

  /// False where 64 bits do not hold it.
  static bool read_whole(std::string_view digits, bool is_negative, json& into) {
    uint64_t value = 0;
    for (const char c : digits) {
      const auto digit = static_cast<uint64_t>(c - '0');
      if (value > (UINT64_MAX - digit) / 10) return false;
      value = 10 * value + digit;
    }
    if (is_negative && value > uint64_t{1} << 63) return false;
    into = json(is_negative ? 0 - value : value);
    if (is_negative) into.kind_ = json::kind::negative;
    return true;
  }

  std::string_view text_;
};

json::json(std::string text) : kind_(kind::string), string_(new std::string(std::move(text))) {}

json::json(std::initializer_list<json> items) {
  const bool is_object = std::ranges::all_of(items, [](const json& item) {
    return item.is_array() && item.size() == 2 && item[0].is_string();
  });
  if (!is_object) {
    *this = array(items);
    return;
  }
  *this = object();
  for (const json& item : items) (*this)[*item[0].string_] = item[1];
}

json::json(const json& other) : kind_(other.kind_), whole_(other.whole_) {
  switch (kind_) {
    case kind::string: string_ = new std::string(*other.string_); break;
    case kind::array: array_ = new array_t(*other.array_); break;
    case kind::object: object_ = new object_t(*other.object_); break;
    default: break;
  }
}

json::~json() {
  switch (kind_) {
    case kind::string: delete string_; break;
    case kind::array: delete array_; break;
    case kind::object: delete object_; break;
    default: break;
  }
}

json json::array(std::initializer_list<json> items) {
  json made;
  made.kind_ = kind::array;
  made.array_ = new array_t(items);
  return made;
}

json json::object() {
  json made;
  made.kind_ = kind::object;
  made.object_ = new object_t();
  return made;
}

json json::parse(std::string_view text, std::nullptr_t, bool) { return json_reader(text).read(); }

std::string json::dump(int, char, bool, error_handler_t) const {
  std::string out;
  switch (kind_) {
    case kind::null:
    case kind::discarded: return "null";
    case kind::boolean: return whole_ != 0 ? "true" : "false";
    case kind::whole: return fmt::format("{}", whole_);
    case kind::negative: return fmt::format("{}", static_cast<int64_t>(whole_));
    case kind::real:
      out = fmt::format("{}", real_);
      // As a number with a fraction, which it stays when it is read again.
      return out.find_first_of(".e") == out.npos ? out + ".0" : out;
    case kind::string: append_quoted(out, *string_); return out;
    case kind::array:
      for (const json& item : *array_) out += (out.empty() ? "" : ",") + item.dump();
      return "[" + out + "]";
    case kind::object:
      for (const member& m : *object_) {
        if (!out.empty()) out += ',';
        append_quoted(out, m.key);
        out += ":" + m.value.dump();
      }
      return "{" + out + "}";
  }
  return out;
}

const char* json::type_name() const {
  switch (kind_) {
    case kind::null: return "null";
    case kind::boolean: return "boolean";
    case kind::string: return "string";
    case kind::array: return "array";
    case kind::object: return "object";
    case kind::discarded: return "discarded";
    default: return "number";
  }
}

size_t json::size() const {
  if (is_array()) return array_->size();
  if (is_object()) return object_->size();
  return is_null() ? 0 : 1;
}

bool json::operator==(const json& other) const {
  if (is_number() && other.is_number()) {
    return kind_ == other.kind_ ? dump() == other.dump() : get<double>() == other.get<double>();
  }
  return kind_ == other.kind_ && dump() == other.dump();
}

const json* json::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  const auto at = std::lower_bound(object_->begin(), object_->end(), key, comes_before);
  return at != object_->end() && at->key == key ? &at->value : nullptr;
}

json& json::operator[](std::string_view key) {
  if (is_null()) *this = object();
  const auto at = std::lower_bound(object_->begin(), object_->end(), key, comes_before);
  if (at != object_->end() && at->key == key) return at->value;
  return object_->insert(at, {std::string(key), json()})->value;
}

std::string json::value(std::string_view key, const char* otherwise) const {
  const json* found = find(key);
  return found == nullptr ? otherwise : *found->string_;
}

bool json::value(std::string_view key, bool otherwise) const {
  const json* found = find(key);
  return found == nullptr ? otherwise : found->get<bool>();
}

void json::erase(std::string_view key) {
  std::erase_if(*object_, [&](const member& m) { return m.key == key; });
}

void json::update(const json& other) {
  for (const member& m : other.items()) (*this)[m.key] = m.value;
}

}  // namespace nlohmann
