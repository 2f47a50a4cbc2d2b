#include <fmt/format.h>

#include <algorithm>

#include "cli/demo/agent.h"
#include "cli/demo/primes.h"

/// A worker: does the study its issue names, and hands in what it found as a document.
namespace paperclip::cli::demo {

namespace {

struct Findings {
  std::string key = "result";
  std::string markdown;
  std::string in_short;
  std::string method;
  std::int64_t numbers = 0;  // how many were looked at
};

Findings count(std::uint32_t limit) {
  const auto primes = primes_below(limit);
  Findings found{.markdown = "## How many\n\n| below | primes |\n|---|---|\n",
                 .method = "sieve-of-eratosthenes",
                 .numbers = limit};
  const auto row = [&](std::uint64_t bound) {
    const auto at = std::lower_bound(primes.begin(), primes.end(), bound);
    found.markdown +=
        fmt::format("| {} | {} |\n", grouped(bound), grouped(static_cast<std::uint64_t>(at - primes.begin())));
  };
  for (std::uint64_t bound = 10; bound < limit; bound *= 10) row(bound);
  row(limit);
  found.in_short = fmt::format("{} primes below {}", grouped(primes.size()), grouped(limit));
  return found;
}

Findings gap(std::uint32_t limit) {
  const Gap widest = widest_gap(primes_below(limit));
  Findings found{.method = "neighbours", .numbers = limit};
  found.in_short =
      fmt::format("{} apart: {} and {}", widest.to - widest.from, grouped(widest.from), grouped(widest.to));
  found.markdown = fmt::format("## The widest gap\n\nNo prime lies between {} and {}: they are {} apart.\n",
                               grouped(widest.from), grouped(widest.to), widest.to - widest.from);
  return found;
}

Findings twins(std::uint32_t limit) {
  const Twins all = twin_primes(primes_below(limit));
  Findings found{.method = "neighbours", .numbers = limit};
  found.in_short =
      fmt::format("{} pairs, the last {} and {}", grouped(all.pairs), grouped(all.last), grouped(all.last + 2));
  found.markdown = fmt::format("## Twins\n\n{} pairs differ by two; the last pair is {} and {}.\n", grouped(all.pairs),
                               grouped(all.last), grouped(all.last + 2));
  return found;
}

// One page of what the others found: the issues that this one waited for have it.
Result<Findings> almanac(Seat& seat, const json::value& issue, std::uint32_t limit) {
  Findings found{.key = "almanac",
                 .markdown = fmt::format("# The primes below {}\n", grouped(limit)),
                 .method = "copy-editing",
                 .numbers = 1};
  const auto* sources = member(issue, "blockedBy");
  if (sources == nullptr || !sources->is_array() || sources->get_array().empty())
    return conflict("The issue waits for no study; there is nothing to write from.");
  std::vector<std::pair<std::string, std::string>> chapters;
  for (const auto& source : sources->get_array()) {
    const json::value document =
        TRY(seat.api().get(path("/api/issues/{}/documents/result", {string_at(source, "id").value_or("")})));
    chapters.emplace_back(string_at(source, "identifier").value_or(""), string_at(document, "body").value_or(""));
    seat.say("taking over " + chapters.back().first);
  }
  std::sort(chapters.begin(), chapters.end());
  for (const auto& chapter : chapters) found.markdown += "\n" + chapter.second;
  found.in_short = fmt::format("one page from {} studies", chapters.size());
  return found;
}

Result<Findings> study(Seat& seat, const json::value& issue) {
  const std::uint32_t limit = TRY(limit_of(issue));
  const std::string name = fact(issue, "study");
  if (name == "almanac") return almanac(seat, issue, limit);
  seat.say(fmt::format("looking at {} numbers", grouped(limit)));
  if (name == "count") return count(limit);
  if (name == "gap") return gap(limit);
  if (name == "twins") return twins(limit);
  return bad_request("I know no study '" + name + "': count, gap, twins or almanac.");
}

}  // namespace

Result<int> run_worker(Seat& seat) {
  if (seat.task_id().empty()) {
    seat.say("woken without a task; nothing to do");
    return 0;
  }
  const json::value issue = TRY(seat.task());
  const std::string status = string_at(issue, "status").value_or("");
  if (status == "done" || status == "cancelled") {
    seat.say("already " + status);
    return 0;
  }
  seat.say(fmt::format("{}: {} ({})", string_at(issue, "identifier").value_or(""),
                       string_at(issue, "title").value_or(""),
                       seat.wake_reason().empty() ? "on demand" : seat.wake_reason()));
  if (!TRY(seat.check_out())) {
    seat.say("somebody else has it");
    return 0;
  }
  TRY(seat.comment("On it."));
  const auto found = study(seat, issue);
  if (!found) {
    TRY(seat.finish("blocked", found.error().message));
    return found.error();
  }
  TRY(seat.write_document(found->key, found->key == "almanac" ? "Almanac" : "Result", found->markdown));
  TRY(seat.report_cost(found->method, found->numbers));
  seat.say(found->in_short);
  TRY(seat.finish("done", fmt::format("Done: {}. See the document `{}`.", found->in_short, found->key)));
  return 0;
}

}  // namespace paperclip::cli::demo
