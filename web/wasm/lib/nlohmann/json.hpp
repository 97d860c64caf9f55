// The part of nlohmann-json that src/ uses, in a quarter of the code, and with the same meaning:
// objects are sorted by key, of a key given twice the last counts, text must be UTF-8. Accessors do
// not check the kind; their callers have. base/json.h is what src/ sees of it.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nlohmann {

class json {
 public:
  struct member;
  using array_t = std::vector<json>;
  using object_t = std::vector<member>;
  enum class error_handler_t { strict, replace };

  json(std::nullptr_t = nullptr) {}                         // NOLINT: all meant to convert
  json(std::string text);                                   // NOLINT
  json(std::string_view text) : json(std::string(text)) {}  // NOLINT
  json(const char* text) : json(std::string(text)) {}       // NOLINT
  template <std::integral T>
  json(T value)  // NOLINT
      : kind_(std::same_as<T, bool> ? kind::boolean
              : value < T{}         ? kind::negative
                                    : kind::whole),
        whole_(static_cast<uint64_t>(value)) {}
  json(double value) : kind_(kind::real), real_(value) {}  // NOLINT
  /// An object where each item is a list of a text and something else, else an array.
  json(std::initializer_list<json> items);
  json(const json& other);
  json(json&& other) noexcept : kind_(other.kind_), whole_(other.whole_) {
    other.kind_ = kind::null;
  }
  json& operator=(json other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(whole_, other.whole_);
    return *this;
  }
  ~json();

  static json array(std::initializer_list<json> items = {});
  static json object();

  /// is_discarded() where the text is not JSON. Nothing but (text, nullptr, false) is known.
  static json parse(std::string_view text, std::nullptr_t, bool);
  template <class Iterator>
  static json parse(Iterator begin, Iterator end, std::nullptr_t, bool) {
    return parse(std::string_view(begin, end), nullptr, false);
  }
  /// On one line; bytes that are not UTF-8 become U+FFFD.
  std::string dump(int = -1, char = ' ', bool = false,
                   error_handler_t = error_handler_t::strict) const;

  bool is_discarded() const { return kind_ == kind::discarded; }
  bool is_null() const { return kind_ == kind::null; }
  bool is_boolean() const { return kind_ == kind::boolean; }
  bool is_number() const { return kind_ >= kind::whole && kind_ <= kind::real; }
  bool is_number_unsigned() const { return kind_ == kind::whole; }
  bool is_string() const { return kind_ == kind::string; }
  bool is_array() const { return kind_ == kind::array; }
  bool is_object() const { return kind_ == kind::object; }
  const char* type_name() const;
  size_t size() const;
  bool empty() const { return size() == 0; }
  bool operator==(const json& other) const;

  template <class T>
  T get() const {
    if constexpr (std::same_as<T, std::string>) {
      return *string_;
    } else if constexpr (std::same_as<T, bool>) {
      return whole_ != 0;
    } else {
      return kind_ == kind::real       ? static_cast<T>(real_)
             : kind_ == kind::negative ? static_cast<T>(static_cast<int64_t>(whole_))
                                       : static_cast<T>(whole_);
    }
  }
  template <class T>
  T get_ref() const {
    return *string_;
  }

  // Arrays; what is none is empty.
  const json* begin() const { return is_array() ? array_->data() : nullptr; }
  const json* end() const { return is_array() ? array_->data() + array_->size() : nullptr; }
  template <std::integral T>
  const json& operator[](T i) const {
    return (*array_)[i];
  }
  const json& front() const { return *begin(); }
  void push_back(json value) { array_->push_back(std::move(value)); }

  // Objects. An absent key is nullptr, which is what end() answers here.
  const json* find(std::string_view key) const;
  bool contains(std::string_view key) const { return find(key) != nullptr; }
  const json& operator[](const char* key) const { return *find(key); }
  const json& operator[](const std::string& key) const { return *find(key); }
  json& operator[](std::string_view key);
  json& operator[](const char* key) { return (*this)[std::string_view(key)]; }
  json& operator[](const std::string& key) { return (*this)[std::string_view(key)]; }
  std::string value(std::string_view key, const char* otherwise) const;
  bool value(std::string_view key, bool otherwise) const;
  void erase(std::string_view key);
  void update(const json& other);
  const object_t& items() const { return *object_; }

 private:
  friend class json_reader;
  enum class kind : uint8_t {
    null,
    boolean,
    whole,
    negative,
    real,
    string,
    array,
    object,
    discarded
  };

  kind kind_ = kind::null;
  union {
    uint64_t whole_ = 0;  // also a boolean, and a negative whole number as int64_t
    double real_;
    std::string* string_;
    array_t* array_;
    object_t* object_;
  };
};

struct json::member {
  std::string key;
  json value;
};

}  // namespace nlohmann
