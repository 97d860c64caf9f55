// What `handloom tune` prints, from made-up measurements.
#include "tune_text.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <set>
#include <string>
#include <vector>

namespace cli {
namespace {

handloom::ProductForm example() {
  return {
      .weight = "q4_0", .act = "int8", .subgroups = true, .workgroup_size = 1024, .n_outputs = 16};
}

/// The example, and forms that differ from it in one thing each.
std::vector<handloom::ProductForm> different_forms() {
  std::vector<handloom::ProductForm> forms(7, example());
  forms[1].act = "f16";
  forms[2].subgroups = false;
  forms[3].workgroup_size = 512;
  forms[4].n_outputs = 8;
  forms[5].rows_at_once = 4;
  forms[6].wide_below = 4097;
  return forms;
}

TEST(TuneText, FormsThatDifferReadDifferently) {
  std::set<std::string> texts, jsons;
  for (const handloom::ProductForm& form : different_forms()) {
    texts.insert(form_text(form));
    jsons.insert(forms_json({&form, 1}).dump());
  }
  EXPECT_EQ(texts.size(), different_forms().size());
  EXPECT_EQ(jsons.size(), different_forms().size());
}

TEST(TuneText, SaysHowRowsAreShared) {
  handloom::ProductForm form = example();
  EXPECT_EQ(form_text(form), "int8 by subgroups, 1024 lanes for 16 outputs");
  form.rows_at_once = 4;
  EXPECT_EQ(form_text(form), "int8 by subgroups, 1024 lanes for 16 outputs, 4 rows at once");
  form.rows_at_once = 1;
  form.wide_below = 4097;
  EXPECT_EQ(form_text(form),
            "int8 by subgroups, 1024 lanes for 16 outputs, two a row below 4097 rows");
}

TEST(TuneText, ColumnsStandBelowEachOther) {
  handloom::TuningReport report;
  report.adapter.name = "A card";
  for (const handloom::ProductForm& form : different_forms()) {
    report.forms.push_back({.form = form, .us = 12.5, .bytes_per_second = 3e12});
  }
  report.forms[0].is_rule = true;
  report.forms[6].is_chosen = true;
  report.seconds = 1.25;
  const std::string text = tune_text(report);
  const size_t header = text.find('\n') + 1, width = text.find('\n', header) - header;
  for (size_t at = header; !text.substr(at).starts_with("measured");) {
    const size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    EXPECT_TRUE(line.size() == width || line.substr(width) == "  rule" ||
                line.substr(width) == "  chosen")
        << text;
    at = end + 1;
  }
  EXPECT_TRUE(text.ends_with("\nmeasured in 1.2 s\n")) << text;
}

TEST(TuneText, AFormWithoutATimeSaysWhy) {
  handloom::TuningReport report;
  report.forms.push_back({.form = example(), .failure = "no time was left"});
  const std::string text = tune_text(report);
  EXPECT_NE(text.find(" no time was left\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace cli
