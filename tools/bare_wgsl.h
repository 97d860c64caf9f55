// WGSL as a page fetches it: without comments, without the spaces that only people need, and with
// short names. Lines keep their numbers, so that an error is found in the file as it is checked in.
//
// A name means the same in all files, so it becomes the same short name in all files. What the host
// calls by name keeps it: entry points and overrides; and so does what WGSL itself declares.
#pragma once

#include <algorithm>
#include <cctype>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

class BareWgsl {
 public:
  /// `lines` of all files; `entry_points` of all kernels.
  BareWgsl(const std::vector<std::string>& lines, const std::set<std::string>& entry_points) {
    std::set<std::string> declared, callable, called, kept = entry_points;
    kept.insert("default");  // of a switch
    std::map<std::string, size_t> counts;
    for (const std::string& line : lines) {
      const std::string code = without_comment(line);
      static const std::regex functions(R"(\b(?:fn|struct|alias)\s+(\w+))"),
          overrides(R"(\boverride\s+(\w+))"),
          others(R"(\b(?:let|const|var(?:<[^>]*>)?)\s+(\w+)|(\w+)\s*:)"), calls(R"((\w+)\()"),
          vectors("[xyzwrgba]{1,4}");
      for (const std::string& name : found(code, functions)) callable.insert(name);
      for (const std::string& name : found(code, overrides)) kept.insert(name);
      for (const std::string& name : found(code, others)) declared.insert(name);
      for (const std::string& name : found(code, calls)) called.insert(name);
      for (const std::string& token : tokens_of(code)) {
        if (!is_name(token)) continue;
        ++counts[token];
        if (std::regex_match(token, vectors)) kept.insert(token);  // it may be parts of a vector
      }
    }
    declared.insert(callable.begin(), callable.end());
    for (const std::string& name : called) {
      if (!callable.contains(name)) kept.insert(name);  // WGSL's own
    }
    std::vector<std::pair<size_t, std::string>> names;  // the most frequent first
    for (const std::string& name : declared) {
      if (!kept.contains(name)) names.emplace_back(~counts[name], name);
    }
    std::sort(names.begin(), names.end());
    size_t i = 0;
    for (const auto& [count, name] : names) {
      std::string short_name = nth_name(i++);
      while (counts.contains(short_name)) short_name = nth_name(i++);
      short_names_[name] = short_name;
    }
  }

  std::string line(const std::string& line) const {
    std::string out, space;
    for (const std::string& token : tokens_of(without_comment(line))) {
      if (std::isspace(static_cast<unsigned char>(token[0]))) {
        space = " ";
        continue;
      }
      const auto found = short_names_.find(token);
      const std::string& text = found == short_names_.end() ? token : found->second;
      if (!out.empty() && would_join(out.back(), text[0])) out += space;
      out += text;
      space.clear();
    }
    return out;
  }

 private:
  /// WGSL has no strings in which "//" could stand.
  static std::string without_comment(const std::string& line) {
    return line.substr(0, line.find("//"));
  }

  /// Names, numbers, spaces, attributes (with what a builtin is), and everything else by character.
  static std::vector<std::string> tokens_of(const std::string& code) {
    static const std::regex token(
        R"(@builtin\(\w+\)|@?[A-Za-z_]\w*|(?:0[xX])?\.?\d(?:[eE][-+]|[\w.])*|\s+|.)");
    return {std::sregex_token_iterator(code.begin(), code.end(), token), {}};
  }

  static std::vector<std::string> found(const std::string& code, const std::regex& pattern) {
    std::vector<std::string> names;
    for (std::sregex_iterator it(code.begin(), code.end(), pattern), end; it != end; ++it) {
      for (size_t group = 1; group < it->size(); ++group) {
        if ((*it)[group].matched) names.push_back((*it)[group]);
      }
    }
    return names;
  }

  static bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
  static bool is_name(const std::string& token) {
    return is_word(token[0]) && !std::isdigit(static_cast<unsigned char>(token[0]));
  }

  /// Whether two tokens would be read as others without a space between them.
  static bool would_join(char a, char b) {
    const auto is_operator = [](char c) {
      return std::string_view("+-*/%&|^=<>!").find(c) != std::string_view::npos;
    };
    return (is_word(a) && is_word(b)) || (is_operator(a) && is_operator(b));
  }

  /// a to Z, then a0 to ZZ: no keyword of WGSL has two characters of which the second is no small
  /// one.
  static std::string nth_name(size_t i) {
    static const std::string first = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
                             second = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if (i < first.size()) return {first[i]};
    i -= first.size();
    return {first[i / second.size()], second[i % second.size()]};
  }

  std::map<std::string, std::string> short_names_;
};
