#pragma once

#include <optional>
#include <string>

#include "domain/runs/heartbeat_run.h"
#include "store/reader.h"

namespace paperclip::domain {

/// What the silence of a run is judged by.
struct SilenceFacts {
  RunId id;
  CompanyId company_id;
  RunStatus status = RunStatus::queued;
  std::optional<Timestamp> last_output_at;
  int last_output_seq = 0;
  std::optional<OutputStream> last_output_stream;
  std::optional<Timestamp> process_started_at, started_at;
  Timestamp created_at;
};

/// `outputSilence` (spec/execution.md 24.3): how long a running run has said nothing, and what was decided about that.
void append_output_silence(std::string& out, store::Reader& reader, const SilenceFacts& run);

}  // namespace paperclip::domain
