// embed_wgsl [--bare] OUT_DIR KERNEL.wgsl...: turns kernels/*.wgsl into kernels.h and kernels.cpp,
// where every file stands once; gpu::flatten puts a variant's together. --bare leaves out what a
// page need not fetch (bare_wgsl.h).
//
// A kernel file is valid WGSL but for its helpers, which it names in comments:
//   // variants: weight = f32 | f16 | bf16      one kernel per value, `<file>_<value>`
//   // only: act = int8: weight = q4_0 | q8_0     of these combinations, no others with act = int8
//   // only: weight = f32 | f16 | bf16       no others in this file
//   // uses: lib/packed4_{weight}.wgsl          appended once; helpers may use helpers
//   // uses: lib/special_{weight}.wgsl or lib/usual.wgsl     the first of these files that exists
// Directives (enable, requires, diagnostic) are hoisted, as WGSL demands. The tool refuses a file
// whose contract table disagrees with its bindings, or whose entry point is not named like the
// file.
#include "bare_wgsl.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

using Strings = std::vector<std::string>;

struct Axis {
  std::string name;
  Strings values;
  bool operator==(const Axis&) const = default;
};

struct Binding {
  std::string name, type, access;  // access: read, write, read_write or uniform
};

struct Field {
  std::string name, type;  // u32 or f32
};

struct Variant {
  std::string name;
  Strings values;  // one per axis
  Strings files;   // the kernel's own, then its helpers
  Strings directives;
};

/// With axis `when` at `value` (always, where there is no `when`), only these of an axis.
struct Restriction {
  std::string when, value;
  Axis allowed;
};

struct KernelFile {
  std::string stem;
  std::vector<Axis> axes;
  std::vector<Binding> bindings;
  std::vector<Field> params;
  std::vector<Variant> variants;  // one a combination of values; without a name where there is none
};

[[noreturn]] void refuse(const std::string& file, const std::string& what) {
  std::cerr << "embed_wgsl: " << file << ": " << what << "\n";
  std::exit(1);
}

Strings read_lines(const std::filesystem::path& path) {
  std::ifstream in(path);
  if (!in) refuse(path.string(), "cannot be read");
  Strings lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

bool is_directive(const std::string& line) {
  static const std::regex pattern(R"(^\s*(enable|requires|diagnostic)\b.*;)");
  return std::regex_search(line, pattern);
}

std::string trim(const std::string& s) {
  const size_t first = s.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return s.substr(first, s.find_last_not_of(" \t") - first + 1);
}

std::string camel_case(const std::string& snake) {
  std::string out;
  bool up = true;
  for (const char c : snake) {
    if (c == '_') {
      up = true;
    } else {
      out += up ? static_cast<char>(std::toupper(c)) : c;
      up = false;
    }
  }
  return out;
}

Strings split_values(const std::string& list) {
  Strings values;
  std::stringstream in(list);
  for (std::string v; std::getline(in, v, '|');) values.push_back(trim(v));
  return values;
}

std::vector<Axis> find_axes(const Strings& lines) {
  static const std::regex pattern(R"(^// variants: (\w+) = (.*)$)");
  std::vector<Axis> axes;
  std::smatch m;
  for (const std::string& line : lines) {
    if (!std::regex_match(line, m, pattern)) continue;
    axes.push_back({m[1], split_values(m[2])});
  }
  return axes;
}

std::vector<Restriction> find_restrictions(const Strings& lines) {
  static const std::regex pattern(R"(^// only: (?:(\w+) = (\w+): )?(\w+) = ([^:]*)$)");
  std::vector<Restriction> restrictions;
  std::smatch m;
  for (const std::string& line : lines) {
    if (std::regex_match(line, m, pattern)) {
      restrictions.push_back({m[1], m[2], {m[3], split_values(m[4])}});
    }
  }
  return restrictions;
}

bool is_allowed(const std::vector<Restriction>& restrictions, const std::vector<Axis>& axes,
                const Strings& values) {
  const auto value_of = [&](const std::string& axis) {
    for (size_t i = 0; i < axes.size(); ++i) {
      if (axes[i].name == axis) return values[i];
    }
    return std::string();
  };
  return std::all_of(restrictions.begin(), restrictions.end(), [&](const Restriction& r) {
    const Strings& allowed = r.allowed.values;
    const bool applies = r.when.empty() || value_of(r.when) == r.value;
    return !applies ||
           std::find(allowed.begin(), allowed.end(), value_of(r.allowed.name)) != allowed.end();
  });
}

/// Of "a or b" the first that exists, or else the last.
std::string first_existing(const std::filesystem::path& root, std::string paths) {
  static const std::string separator = " or ";
  for (size_t at; (at = paths.find(separator)) != std::string::npos;) {
    const std::string path = trim(paths.substr(0, at));
    if (std::filesystem::exists(root / path)) return path;
    paths.erase(0, at + separator.size());
  }
  return trim(paths);
}

Strings find_uses(const std::filesystem::path& root, const Strings& lines,
                  const std::vector<Axis>& axes, const Strings& values) {
  Strings uses;
  for (const std::string& line : lines) {
    if (!line.starts_with("// uses: ")) continue;
    std::string path = trim(line.substr(9));
    for (size_t i = 0; i < axes.size(); ++i) {
      const std::string hole = "{" + axes[i].name + "}";
      for (size_t at; (at = path.find(hole)) != std::string::npos;) {
        path.replace(at, hole.size(), values[i]);
      }
    }
    uses.push_back(first_existing(root, path));
  }
  return uses;
}

/// Appends a file, its directives, and the helpers it uses.
void gather(const std::filesystem::path& root, const std::string& file,
            const std::vector<Axis>& axes, Variant& v) {
  if (std::find(v.files.begin(), v.files.end(), file) != v.files.end()) return;
  const Strings lines = read_lines(root / file);
  v.files.push_back(file);
  for (const std::string& line : lines) {
    const bool is_new =
        std::find(v.directives.begin(), v.directives.end(), line) == v.directives.end();
    if (is_directive(line) && is_new) v.directives.push_back(line);
  }
  for (const std::string& used : find_uses(root, lines, axes, v.values)) {
    gather(root, used, axes, v);
  }
}

Variant make_variant(const std::filesystem::path& root, const KernelFile& kernel,
                     const Strings& values) {
  Variant v{.name = kernel.stem, .values = values};
  for (const std::string& value : values) v.name += "_" + value;
  gather(root, kernel.stem + ".wgsl", kernel.axes, v);
  return v;
}

std::vector<Binding> find_bindings(const std::string& file, const Strings& lines) {
  static const std::regex declared(
      R"(^@group\(0\) @binding\((\d+)\) var<(storage, read_write|storage, read|uniform)> (\w+): (.*);)");
  static const std::regex row(
      R"(^//   (\d+)\s+(\w+)\s+(\S+)\s+(?:\[.*?\])?\s*(read_write|read|write|uniform)\b.*$)");
  std::map<size_t, Binding> table;
  std::vector<Binding> bindings;
  std::smatch m;
  for (const std::string& line : lines) {
    if (std::regex_match(line, m, row)) table[std::stoul(m[1])] = {m[2], m[3], m[4]};
    if (!std::regex_search(line, m, declared)) continue;
    const size_t index = std::stoul(m[1]);
    if (index != bindings.size()) refuse(file, "bindings are not declared in order");
    if (!table.contains(index)) refuse(file, "the contract has no row for binding " + m[1].str());
    const Binding& told = table[index];
    const std::string kind = m[2], name = m[3], type = m[4];
    const bool same_access = kind == "uniform" ? told.access == "uniform"
                             : kind == "storage, read"
                                 ? told.access == "read"
                                 : told.access == "write" || told.access == "read_write";
    const bool same_type = type == told.type || type == "array<" + told.type + ">";
    if (told.name != name || !same_access || !same_type) {
      refuse(file, "binding " + m[1].str() + " is `" + kind + " " + name + ": " + type +
                       "`, the contract says `" + told.name + " " + told.type + " " + told.access +
                       "`");
    }
    bindings.push_back(told);
  }
  if (bindings.size() != table.size()) refuse(file, "the contract has rows without a binding");
  return bindings;
}

std::vector<Field> find_params(const std::string& file, const Strings& lines) {
  static const std::regex field(R"(^\s+(\w+): (\w+),.*$)");
  std::vector<Field> fields;
  bool inside = false;
  std::smatch m;
  for (const std::string& line : lines) {
    if (line.starts_with("struct Params")) {
      inside = true;
    } else if (inside && line.starts_with("}")) {
      return fields;
    } else if (inside && !trim(line).empty() && !trim(line).starts_with("//")) {
      // What is not understood would shift every field behind it.
      if (!std::regex_match(line, m, field)) {
        refuse(file, "a line of Params is `" + trim(line) + "`, expected `name: type,`");
      }
      if (m[2] != "u32" && m[2] != "f32") refuse(file, "Params may hold u32 and f32 only");
      fields.push_back({m[1], m[2]});
    }
  }
  return fields;
}

void check_entry_point(const std::string& file, const std::string& stem, const Strings& lines) {
  for (const std::string& line : lines) {
    if (line.starts_with("fn " + stem + "(")) return;
  }
  refuse(file, "has no entry point `fn " + stem + "(`, expected one named like the file");
}

KernelFile read_kernel(const std::filesystem::path& path) {
  const std::string file = path.filename().string();
  KernelFile kernel{.stem = path.stem().string()};
  const Strings lines = read_lines(path);
  if (lines.empty() || !lines[0].starts_with("// " + kernel.stem + ": ")) {
    refuse(file, "line 1 is not `// " + kernel.stem + ": <equation>`");
  }
  check_entry_point(file, kernel.stem, lines);
  kernel.axes = find_axes(lines);
  kernel.bindings = find_bindings(file, lines);
  kernel.params = find_params(file, lines);

  std::vector<Strings> combinations = {{}};
  for (const Axis& axis : kernel.axes) {
    std::vector<Strings> longer;
    for (const Strings& c : combinations) {
      for (const std::string& value : axis.values) {
        longer.push_back(c);
        longer.back().push_back(value);
      }
    }
    combinations = std::move(longer);
  }
  const std::vector<Restriction> restrictions = find_restrictions(lines);
  for (const Strings& values : combinations) {
    kernel.variants.push_back(is_allowed(restrictions, kernel.axes, values)
                                  ? make_variant(path.parent_path(), kernel, values)
                                  : Variant());
  }
  return kernel;
}

std::string signature(const KernelFile& kernel) {
  std::string args;
  for (const Axis& axis : kernel.axes) {
    args += (args.empty() ? "" : ", ") + camel_case(axis.name) + " " + axis.name;
  }
  return "const gpu::Kernel& " + kernel.stem + "(" + args + ")";
}

/// One enum per axis name; kernels that share an axis must agree on its values.
std::map<std::string, Axis> collect_axes(const std::vector<KernelFile>& kernels) {
  std::map<std::string, Axis> axes;
  for (const KernelFile& k : kernels) {
    for (const Axis& axis : k.axes) {
      const auto [it, is_new] = axes.try_emplace(axis.name, axis);
      if (!is_new && it->second != axis) {
        refuse(k.stem + ".wgsl",
               "gives other values to axis '" + axis.name + "' than another file");
      }
    }
  }
  return axes;
}

void write_header(std::ostream& out, const std::vector<KernelFile>& kernels) {
  out << "// Made by tools/embed_wgsl from src/kernels/*.wgsl. Do not edit.\n#pragma once\n\n"
         "#include \"gpu/kernel.h\"\n\n#include <cstddef>\n#include <cstdint>\n#include <span>\n\n"
         "namespace handloom::kernels {\n\n";
  for (const auto& [name, axis] : collect_axes(kernels)) {
    out << "enum class " << camel_case(name) << " : uint8_t { ";
    for (size_t i = 0; i < axis.values.size(); ++i) out << (i ? ", " : "") << axis.values[i];
    out << " };\n";
  }
  for (const KernelFile& k : kernels) {
    out << "\n/// kernels/" << k.stem << ".wgsl\n" << signature(k) << ";\n";
    if (k.params.empty()) continue;
    const std::string type = camel_case(k.stem) + "Params";
    const size_t bytes = (4 * k.params.size() + 15) / 16 * 16;  // a uniform struct, rounded up
    out << "struct alignas(16) " << type << " {\n";
    for (const Field& f : k.params) {
      out << "  " << (f.type == "u32" ? "uint32_t " : "float ") << f.name << ";\n";
    }
    out << "};\n";
    for (size_t i = 0; i < k.params.size(); ++i) {
      out << "static_assert(offsetof(" << type << ", " << k.params[i].name << ") == " << 4 * i
          << ");\n";
    }
    out << "static_assert(sizeof(" << type << ") == " << bytes << ");\n";
  }
  out << "\n/// Every variant of every kernel.\nstd::span<const gpu::Kernel* const> all();\n\n"
         "}  // namespace handloom::kernels\n";
}

/// `bare`: nullptr for the text as it is.
void write_file(std::ostream& out, const std::filesystem::path& root, const std::string& file,
                const BareWgsl* bare) {
  out << "\"kernels/" << file << "\\0\"\n";
  // String literals have a length limit in some compilers; adjacent ones are joined.
  for (const std::string& line : read_lines(root / file)) {
    const std::string kept = is_directive(line) ? "" : bare != nullptr ? bare->line(line) : line;
    out << "R\"wgsl(" << kept << "\n)wgsl\"\n";
  }
  out << "\"\\0\"\n";
}

std::string joined_directives(const Variant& v) {
  std::string text;
  for (const std::string& line : v.directives) text += line + "\\n";
  return text;
}

/// All that variants may say, each once; a variant says where its own stands.
struct Tables {
  Strings files, directives;

  static size_t place(const Strings& in, const std::string& what) {
    return static_cast<size_t>(std::find(in.begin(), in.end(), what) - in.begin());
  }
};

Tables collect_tables(const std::vector<KernelFile>& kernels) {
  std::set<std::string> files, directives;
  for (const KernelFile& k : kernels) {
    for (const Variant& v : k.variants) {
      files.insert(v.files.begin(), v.files.end());
      directives.insert(joined_directives(v));
    }
  }
  return {{files.begin(), files.end()}, {directives.begin(), directives.end()}};
}

/// gpu/kernel_table.h says how bindings, params and variants are written down.
std::string bindings_text(const KernelFile& k) {
  std::string text;
  for (const Binding& b : k.bindings) text += b.access + " " + b.name + "\\n";
  return text;
}

std::string params_text(const KernelFile& k) {
  std::string text;
  for (const Field& f : k.params) text += f.type + " " + f.name + "\\n";
  return text;
}

void write_kernel(std::ostream& out, const KernelFile& k, const Tables& tables) {
  if (!k.axes.empty()) {
    out << "const std::span<const std::string_view> " << k.stem << "_axes[] = {";
    for (size_t i = 0; i < k.axes.size(); ++i)
      out << (i ? ", " : "") << "k" << camel_case(k.axes[i].name);
    out << "};\n";
  }
  out << "const uint8_t " << k.stem << "_variants[] = {\n";
  for (const Variant& v : k.variants) {
    if (v.name.empty()) {
      out << "    gpu::kNoVariant,\n";
      continue;
    }
    out << "    " << v.files.size() - 1 << ", "
        << Tables::place(tables.directives, joined_directives(v));
    for (size_t i = 1; i < v.files.size(); ++i)
      out << ", " << Tables::place(tables.files, v.files[i]);
    out << ",\n";
  }
  out << "};\n\n";
}

void write_form(std::ostream& out, const KernelFile& k, const Tables& tables) {
  out << "    {.file = " << Tables::place(tables.files, k.stem + ".wgsl") << ", .bindings = \""
      << bindings_text(k) << "\", .params = \"" << params_text(k) << "\""
      << ", .axes = " << (k.axes.empty() ? "{}" : k.stem + "_axes") << ", .variants = " << k.stem
      << "_variants},\n";
}

void write_chooser(std::ostream& out, const KernelFile& k, size_t first) {
  out << signature(k) << " {\n  size_t i = 0;\n";
  for (const Axis& axis : k.axes) {
    out << "  i = i * " << axis.values.size() << " + static_cast<size_t>(" << axis.name << ");\n";
  }
  out << "  return table().kernel(" << first << " + i);\n}\n\n";
}

BareWgsl bare_wgsl(const std::filesystem::path& root, const std::vector<KernelFile>& kernels,
                   const Tables& tables) {
  Strings lines;
  for (const std::string& file : tables.files) {
    for (const std::string& line : read_lines(root / file)) lines.push_back(line);
  }
  std::set<std::string> entry_points;
  for (const KernelFile& k : kernels) entry_points.insert(k.stem);
  return BareWgsl(lines, entry_points);
}

void write_source(std::ostream& out, const std::filesystem::path& root,
                  const std::vector<KernelFile>& kernels, bool is_bare) {
  out << "// Made by tools/embed_wgsl from src/kernels/*.wgsl. Do not edit.\n"
         "#include \"kernels/kernels.h\"\n\n#include \"gpu/kernel_table.h\"\n\n"
         "namespace handloom::kernels {\nnamespace {\n\n";
  const Tables tables = collect_tables(kernels);
  if (tables.files.size() > 255)
    refuse("src/kernels", "has more than 255 files, which a byte counts");
  std::optional<BareWgsl> bare;
  if (is_bare) bare = bare_wgsl(root, kernels, tables);
  out << "constexpr char kFiles[] =\n";
  for (const std::string& file : tables.files) write_file(out, root, file, bare ? &*bare : nullptr);
  out << ";\n\nconstexpr std::string_view kDirectives[] = {\n";
  for (const std::string& text : tables.directives) out << "    \"" << text << "\",\n";
  out << "};\n\n";
  for (const auto& [name, axis] : collect_axes(kernels)) {
    out << "constexpr std::string_view k" << camel_case(name) << "[] = {";
    for (size_t i = 0; i < axis.values.size(); ++i)
      out << (i ? ", \"" : "\"") << axis.values[i] << "\"";
    out << "};\n";
  }
  out << "\n";
  for (const KernelFile& k : kernels) write_kernel(out, k, tables);
  out << "const gpu::KernelForm kForms[] = {\n";
  for (const KernelFile& k : kernels) write_form(out, k, tables);
  out << "};\n\nconst gpu::KernelTable& table() {\n"
         "  static const gpu::KernelTable made(kForms, {kFiles, sizeof kFiles - 1}, "
         "kDirectives);\n  return made;\n}\n\n"
         "}  // namespace\n\n";
  size_t first = 0;
  for (const KernelFile& k : kernels) {
    write_chooser(out, k, first);
    first += k.variants.size();
  }
  out << "std::span<const gpu::Kernel* const> all() { return table().all(); }\n\n"
         "}  // namespace handloom::kernels\n";
}

}  // namespace

int main(int argc, char** argv) {
  Strings args(argv + 1, argv + argc);
  const bool is_bare = !args.empty() && args.front() == "--bare";
  if (is_bare) args.erase(args.begin());
  if (args.size() < 2) {
    std::cerr << "usage: embed_wgsl [--bare] OUT_DIR KERNEL.wgsl...\n";
    return 2;
  }
  std::vector<KernelFile> kernels;
  for (size_t i = 1; i < args.size(); ++i) kernels.push_back(read_kernel(args[i]));
  const std::filesystem::path out_dir = args[0];
  std::filesystem::create_directories(out_dir);
  std::ofstream header(out_dir / "kernels.h"), source(out_dir / "kernels.cpp");
  write_header(header, kernels);
  write_source(source, std::filesystem::path(args[1]).parent_path(), kernels, is_bare);
  header.flush();
  source.flush();
  if (!header || !source) refuse(out_dir.string(), "cannot be written");
  return 0;
}
