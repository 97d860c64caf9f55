// tools/embed_wgsl refuses kernel files that break the rules it is there to keep. Each test spoils
// one line of a good file.
#include <gmock/gmock.h>

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>

namespace handloom::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kGood = R"(// twice: y[i] = 2 * x[i]
//
//   binding  name    type    shape  access
//   0        x       vec4f   [n]    read
//   1        y       vec4f   [n]    write
//   2        params  Params         uniform
//
// variants: weight = f32 | f16
// uses: lib/part_{weight}.wgsl

struct Params {
  n: u32,  // vec4s
  factor: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn twice(@builtin(global_invocation_id) id: vec3u) {
  y[id.x] = part(x[id.x]);
}
)";

struct Answer {
  int status = -1;
  std::string text;  // standard output and errors
};

class EmbedWgsl : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "embed_wgsl_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    std::filesystem::create_directory(folder_ / "lib");
    write("lib/part_f32.wgsl", "fn part(v: vec4f) -> vec4f {\n  return v;\n}\n");
    write("lib/part_f16.wgsl", "enable f16;\nfn part(v: vec4f) -> vec4f {\n  return v;\n}\n");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }
  std::string read(const std::string& name) {
    std::stringstream text;
    text << std::ifstream(folder_ / name).rdbuf();
    return text.str();
  }

  Answer embed(const std::string& files, const std::string& options = "") {
    const std::string command =
        "cd '" + folder_.string() + "' && '" EMBED_WGSL "' " + options + " out " + files + " 2>&1";
    Answer answer;
    FILE* pipe = popen(command.c_str(), "r");
    for (int c; (c = std::fgetc(pipe)) != EOF;) answer.text += static_cast<char>(c);
    const int status = pclose(pipe);
    answer.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return answer;
  }

  /// Expects that the good file, with `from` replaced by `to`, is refused with these words, and
  /// that nothing is written.
  void expect_refusal(const std::string& from, const std::string& to, const std::string& words) {
    std::string text = kGood;
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write("twice.wgsl", text.replace(at, from.size(), to));
    const Answer answer = embed("twice.wgsl");
    EXPECT_EQ(answer.status, 1) << answer.text;
    EXPECT_THAT(answer.text, HasSubstr(words));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out/kernels.h"));
  }

  std::filesystem::path folder_;
};

TEST_F(EmbedWgsl, TurnsAGoodFileIntoOneKernelPerVariant) {
  write("twice.wgsl", kGood);
  const Answer answer = embed("twice.wgsl");
  EXPECT_EQ(answer.status, 0) << answer.text;
  EXPECT_EQ(answer.text, "");
  const std::string header = read("out/kernels.h"), source = read("out/kernels.cpp");
  EXPECT_THAT(header, HasSubstr("enum class Weight : uint8_t { f32, f16 };"));
  EXPECT_THAT(header, HasSubstr("const gpu::Kernel& twice(Weight weight);"));
  EXPECT_THAT(header, HasSubstr("static_assert(offsetof(TwiceParams, factor) == 4);"));
  EXPECT_THAT(header, HasSubstr("static_assert(sizeof(TwiceParams) == 16);"));
  EXPECT_THAT(source, HasSubstr("kWeight[] = {\"f32\", \"f16\"};"));
  EXPECT_THAT(source, HasSubstr("twice_axes[] = {kWeight};"));
  EXPECT_THAT(source, HasSubstr(R"(.bindings = "read x\nwrite y\nuniform params\n")"));
}

TEST_F(EmbedWgsl, TakesTheFirstHelperThatExists) {
  std::string text = kGood;
  const std::string used = "lib/part_{weight}.wgsl";
  text.replace(text.find(used), used.size(), "lib/part8_{weight}.wgsl or " + used);
  write("twice.wgsl", text);
  write("lib/part8_f16.wgsl", "fn part(v: vec4f) -> vec4f {\n  return 8 * v;\n}\n");
  const Answer answer = embed("twice.wgsl");
  EXPECT_EQ(answer.status, 0) << answer.text;
  const std::string source = read("out/kernels.cpp");
  EXPECT_THAT(source, HasSubstr("kernels/lib/part_f32.wgsl"));
  EXPECT_THAT(source, HasSubstr("kernels/lib/part8_f16.wgsl"));
  EXPECT_THAT(source, Not(HasSubstr("kernels/lib/part_f16.wgsl")));
}

TEST_F(EmbedWgsl, EmbedsEachFileOnceAndHoistsDirectives) {
  write("twice.wgsl", kGood);
  ASSERT_EQ(embed("twice.wgsl").status, 0);
  const std::string source = read("out/kernels.cpp");
  const std::string own = "\"kernels/twice.wgsl\\0\"\nR\"wgsl(";
  const size_t first = source.find(own);
  ASSERT_NE(first, source.npos) << source;
  EXPECT_EQ(source.find(own, first + 1), source.npos);
  EXPECT_THAT(source, HasSubstr("kDirectives[] = {\n    \"\",\n    \"enable f16;\\n\",\n};"));
  // A helper each, with no directive and with that; files are counted in the order of their paths.
  EXPECT_THAT(source, HasSubstr("twice_variants[] = {\n    1, 0, 1,\n    1, 1, 0,\n};"));
  // The line stays, so that those below it keep their numbers.
  EXPECT_THAT(source, HasSubstr("\"kernels/lib/part_f16.wgsl\\0\"\nR\"wgsl(\n)wgsl\""));
}

TEST_F(EmbedWgsl, LeavesOutCommentsAndIndentationButNoLine) {
  write("twice.wgsl", kGood);
  ASSERT_EQ(embed("twice.wgsl").status, 0);
  const std::string whole = read("out/kernels.cpp");
  ASSERT_EQ(embed("twice.wgsl", "--bare").status, 0);
  const std::string bare = read("out/kernels.cpp");
  EXPECT_THAT(whole, HasSubstr("// twice: "));
  EXPECT_THAT(bare, Not(HasSubstr("// twice: ")));
  EXPECT_THAT(bare, HasSubstr("fn twice("));
  EXPECT_THAT(bare, HasSubstr("var<storage,read>x:array<vec4f>;"));
  EXPECT_EQ(std::ranges::count(bare, '\n'), std::ranges::count(whole, '\n'));
}

/// What the first group of `pattern` holds in `text`.
std::string find_in(const std::string& text, const std::string& pattern) {
  std::smatch found;
  return std::regex_search(text, found, std::regex(pattern)) ? found[1].str() : "";
}

TEST_F(EmbedWgsl, ShortensANameToTheSameInAllFiles) {
  std::string text = kGood;
  text +=
      "override rounds: u32 = 1;\nfn more(a: u32) -> u32 {\n  let dot = 0x1fu - -1e-3;\n"
      "  return dot4(a) + select(a, rounds, a > dot) ;\n}\n"
      "fn dot4(v: vec4f) -> f32 { return dot(v, v.xyzw); }\n";
  write("twice.wgsl", text);
  ASSERT_EQ(embed("twice.wgsl", "--bare").status, 0);
  const std::string bare = read("out/kernels.cpp");
  const std::string declared = find_in(bare, R"(fn (\w+)\(\w+:vec4f\)->vec4f)");
  EXPECT_LE(declared.size(), 2u);
  EXPECT_EQ(find_in(bare, R"(y\[\w+\.x\]=(\w+)\(x\[\w+\.x\]\);)"), declared);
  EXPECT_THAT(bare, Not(HasSubstr("part(")));
  // Told by the host.
  EXPECT_THAT(bare, HasSubstr("fn twice(@builtin(global_invocation_id)"));
  EXPECT_THAT(bare, HasSubstr("override rounds:u32=1;"));
  // WGSL's own, one of them a local name, too; parts of a vector; operators that must not join.
  EXPECT_THAT(bare, HasSubstr("let dot=0x1fu- -1e-3;"));
  EXPECT_THAT(bare, HasSubstr(",rounds,"));
  EXPECT_THAT(bare, HasSubstr(".xyzw);"));
  EXPECT_EQ(find_in(bare, R"(return (\w+)\(\w+\)\+select\()"),
            find_in(bare, R"(fn (\w+)\(\w+:vec4f\)->f32)"));
}

TEST_F(EmbedWgsl, RefusesAContractThatDisagreesWithABinding) {
  expect_refusal("1        y       vec4f   [n]    write", "1        y       vec4f   [n]    read",
                 "binding 1 is `storage, read_write y: array<vec4f>`, the contract says `y vec4f "
                 "read`");
  expect_refusal("0        x       vec4f", "0        x       f32  ",
                 "binding 0 is `storage, read x: array<vec4f>`, the contract says `x f32 read`");
  expect_refusal("0        x       vec4f", "0        z       vec4f",
                 "binding 0 is `storage, read x: array<vec4f>`, the contract says `z vec4f read`");
  expect_refusal("2        params  Params         uniform", "2        params  Params         read",
                 "binding 2 is `uniform params: Params`, the contract says `params Params read`");
}

TEST_F(EmbedWgsl, RefusesAContractWithARowTooFewOrTooMany) {
  expect_refusal("//   2        params  Params         uniform\n", "",
                 "the contract has no row for binding 2");
  expect_refusal("@group(0) @binding(2) var<uniform> params: Params;\n", "",
                 "the contract has rows without a binding");
}

TEST_F(EmbedWgsl, RefusesBindingsOutOfOrder) {
  expect_refusal("@group(0) @binding(0) var<storage, read> x: array<vec4f>;\n", "",
                 "bindings are not declared in order");
}

TEST_F(EmbedWgsl, RefusesAnEntryPointThatIsNotNamedLikeTheFile) {
  expect_refusal("fn twice(", "fn double(",
                 "has no entry point `fn twice(`, expected one named like the file");
}

TEST_F(EmbedWgsl, RefusesAFileWithoutItsEquation) {
  expect_refusal("// twice: y", "// y", "line 1 is not `// twice: <equation>`");
}

TEST_F(EmbedWgsl, RefusesAHelperThatIsNotThere) {
  expect_refusal("lib/part_{weight}.wgsl", "lib/other_{weight}.wgsl",
                 "other_f32.wgsl: cannot be read");
  expect_refusal("lib/part_{weight}.wgsl", "lib/part_{wait}.wgsl", "cannot be read");
}

TEST_F(EmbedWgsl, RefusesParamsWhoseLayoutWouldNotBeThatOfWords) {
  expect_refusal("factor: f32,", "factor: vec3f,", "Params may hold u32 and f32 only");
  expect_refusal("factor: f32,", "factor: array<u32, 4>,",
                 "a line of Params is `factor: array<u32, 4>,`, expected `name: type,`");
  expect_refusal("factor: f32,", "factor: f32",
                 "a line of Params is `factor: f32`, expected `name: type,`");
}

TEST_F(EmbedWgsl, RefusesTwoMeaningsOfOneAxis) {
  write("twice.wgsl", kGood);
  std::string other = kGood;
  for (size_t at; (at = other.find("twice")) != std::string::npos;) other.replace(at, 5, "thrice");
  other.replace(other.find("f32 | f16"), 9, "f16 | f32");
  write("thrice.wgsl", other);
  const Answer answer = embed("twice.wgsl thrice.wgsl");
  EXPECT_EQ(answer.status, 1);
  EXPECT_THAT(answer.text, HasSubstr("gives other values to axis 'weight' than another file"));
}

TEST_F(EmbedWgsl, SaysHowItIsUsed) {
  const Answer answer = embed("");
  EXPECT_EQ(answer.status, 2);
  EXPECT_THAT(answer.text, HasSubstr("usage: embed_wgsl [--bare] OUT_DIR KERNEL.wgsl..."));
}

}  // namespace
}  // namespace handloom::test
