#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "adapters/output.h"
#include "adapters/result.h"

/// What the command line agents' output parsers have in common (spec/adapters.md 3.5, 3.10).
namespace paperclip::adapters {

/// What the parser of a run knows before there is any output.
struct CliFacts {
  std::string tool;  // `Claude`, as log lines call it
  std::chrono::milliseconds timeout{0};
  Billing billing;  // but for model and cost
  std::string configured_model;
  std::string resumed_session;
  bool retried = false;
  json::object session_params;  // what is saved with a session, without its id
};

/// Everything a verdict rests on beside what the parser has read.
struct CliEvidence {
  std::string_view out;  // the end of stdout
  std::string_view err;  // the end of stderr
  const Exit& exit;
  std::chrono::milliseconds timeout;
  Timestamp now;
};

struct CliVerdict {
  /// Exit, error, usage, result JSON, summary; of the billing the model and cost that the tool named.
  AdapterResult result;
  std::string session_id;
  bool session_unknown = false;
  /// False when the output says nothing about the session: the one before the run stays.
  bool tells_of_session = true;
};

/// Keeps the ends of both streams, and adds billing and session to what a kind of agent makes of its output.
class CliOutput : public OutputParser {
 public:
  explicit CliOutput(CliFacts facts) : facts_(std::move(facts)) {}

  void feed(OutputStream stream, std::string_view bytes) final;
  AdapterResult finish(const Exit& exit, Timestamp now) final;

 protected:
  virtual void read(std::string_view out) = 0;
  /// Called once, after the last `read`.
  virtual CliVerdict judge(const CliEvidence& evidence) = 0;

 private:
  void add_session(AdapterResult& result, const CliVerdict& verdict) const;

  CliFacts facts_;
  OutputTail out_, err_;
};

/// Exit, and the error if the process never started or ran out of time: true when that says it all.
bool judge_exit(AdapterResult& result, const CliEvidence& evidence);

}  // namespace paperclip::adapters
