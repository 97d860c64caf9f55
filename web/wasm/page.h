// What the calls of a page share (exports.cpp has the usual ones), and how further ones are added.
#pragma once

#include "base/json.h"
#include "base/json_text.h"

#include <handloom/stepwise.h>

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::web {

/// One call of the page: JSON in, JSON out.
struct Call {
  std::string_view name;
  Result<JsonText> (*function)(const JsonObject&);
};

struct Generating {
  std::string text;           // not told yet
  std::vector<uint32_t> ids;  // the same
  bool cancelled = false;
  std::optional<GenerateSteps> steps;
};

struct Page {
  std::optional<LoadSteps> loading;
  std::optional<Engine> engine;
  std::map<uint32_t, Session> sessions;
  std::map<uint32_t, std::unique_ptr<Generating>> generating;  // by session
  uint32_t next_session = 1;
};

extern Page page;

Result<std::vector<uint32_t>> get_ids(const JsonObject& call);
Result<Session*> get_session(const JsonObject& call);
JsonText wanted_json(const std::optional<Wanted>& wanted);

/// What a module offers beside the calls of exports.cpp: of the runtime, nothing.
std::span<const Call> more_calls();

}  // namespace handloom::web
