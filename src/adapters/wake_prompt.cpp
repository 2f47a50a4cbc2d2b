#include "adapters/prompt.h"
#include "base/text.h"

// The wake payload as words (spec/execution.md 9.3, spec/agent-contract.md 4.4): fixed headings and labels, our
// sentences.
namespace paperclip::adapters {

namespace {

void bullet(std::string& out, std::string_view label, std::string_view value) {
  if (!value.empty()) out.append("\n- ").append(label).append(": ").append(value);
}

void bullet_if(std::string& out, std::string_view label, const MaybeText& value) {
  if (value) bullet(out, label, std::string_view(*value));
}

std::string named(const MaybeText& identifier, const MaybeText& id, const MaybeText& title) {
  std::string out = identifier ? *identifier : id.value_or("");
  if (title) out += (out.empty() ? "" : " ") + *title;
  return out;
}

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const auto& item : items) (out += out.empty() ? "" : ", ") += item;
  return out;
}

std::string principal(const RawJson& raw) {
  if (raw.is_null()) return {};
  const json::value value = raw.parse();
  if (const auto agent = text_at(value, "agentId")) return "agent " + *agent;
  if (const auto user = text_at(value, "userId")) return "user " + *user;
  return {};
}

void append_opening(std::string& out, const WakePayload& p, bool resumed) {
  if (resumed) {
    out +=
        "## Paperclip Resume Delta\n\nYou continue the session you were in. This is what is new since then; what you "
        "knew before still holds.\n"
        "Deal with it first, then go on with the issue.";
  } else {
    out +=
        "## Paperclip Wake Payload\n\nThis wake is about one issue. Treat it as the first thing to do in this "
        "heartbeat; do not go looking for other work "
        "before it is dealt with.\nWhat stands here is current: you need no inbox or listing call to learn it.";
  }
  if (!p.comments.empty()) out += "\nTake the newest comment first, and let your next comment or action answer it.";
  out += p.fallback_fetch_needed
             ? "\nNot everything fitted in here: read the issue's thread through the API before you act."
             : "\nFetch the whole thread only if you need history that is not here.";
}

void append_blockers(std::string& out, const WakePayload& p) {
  if (p.dependency_blocked_interaction) {
    out += "\n- dependency-blocked interaction: yes";
    out += "\n- what that means: answer, clarify or triage; do not work on the deliverable while its blockers are open";
  }
  std::vector<std::string> blockers;
  for (const auto& b : p.unresolved_blocker_summaries)
    blockers.push_back(named(b.identifier, b.id, b.title) + (b.status ? " (" + *b.status + ")" : ""));
  bullet(out, "unresolved blockers", joined(blockers.empty() ? p.unresolved_blocker_issue_ids : blockers));
  if (p.tree_hold_interaction) {
    out += "\n- tree-hold interaction: yes";
    out +=
        "\n- what that means: the subtree is paused; reply to the person, but start no work that the pause holds back";
  }
  if (p.active_tree_hold) {
    const auto& hold = *p.active_tree_hold;
    std::string text = hold.hold_id.value_or("unknown");
    if (hold.root_issue_id) text += " rooted at " + *hold.root_issue_id;
    if (hold.mode) text += ", mode " + *hold.mode;
    if (hold.reason) text += ", reason: " + *hold.reason;
    bullet(out, "active tree hold", text);
  }
}

void append_bullets(std::string& out, const WakePayload& p) {
  out += '\n';
  bullet(out, "reason", p.reason.value_or("unknown"));
  bullet(out, "issue", p.issue ? named(p.issue->identifier, p.issue->id, p.issue->title) : "unknown");
  bullet(out, "pending comments", std::to_string(p.included_count) + "/" + std::to_string(p.requested_count));
  bullet(out, "latest comment id", p.latest_comment_id.value_or("unknown"));
  bullet(out, "fallback fetch needed", p.fallback_fetch_needed ? "yes" : "no");
  if (p.issue) {
    bullet_if(out, "issue status", p.issue->status);
    bullet_if(out, "issue priority", p.issue->priority);
  }
  if (p.checked_out_by_harness) bullet(out, "checkout", "already claimed by the harness for this run");
  append_blockers(out, p);
  if (p.missing_count > 0) bullet(out, "omitted comments", std::to_string(p.missing_count));
}

std::string_view role_sentence(std::string_view role) {
  if (role == "reviewer")
    return "You are the reviewer of this stage: judge the work, do not redo it. Decide with one of the allowed actions "
           "and say why in a comment.";
  if (role == "approver")
    return "You are the approver of this stage: approve or send it back with one of the allowed actions, and say why "
           "in a comment.";
  return "The work came back to you: address what was asked for, then hand it in again.";
}

void append_stage(std::string& out, const WakeStage& stage) {
  bullet_if(out, "execution wake role", stage.wake_role);
  std::string name = stage.stage_type.value_or("");
  if (stage.stage_id) name += (name.empty() ? "" : " ") + *stage.stage_id;
  bullet(out, "execution stage", name);
  bullet(out, "execution participant", principal(stage.current_participant));
  bullet(out, "execution return assignee", principal(stage.return_assignee));
  bullet_if(out, "last decision outcome", stage.last_decision_outcome);
  bullet(out, "allowed actions", joined(stage.allowed_actions));
  if (stage.wake_role) out.append("\n\n").append(role_sentence(*stage.wake_role));
  if (stage.review_request) out.append("\n\nReview instructions:\n").append(stage.review_request->instructions);
}

void append_background(std::string& out, const WakePayload& p) {
  if (p.continuation_summary) {
    out.append("\n\nContinuation summary:\n").append(p.continuation_summary->body);
    if (p.continuation_summary->body_truncated)
      out += "\n[summary truncated; the whole is the issue document `continuation-summary`]";
  }
  if (p.liveness_continuation) {
    const auto& l = *p.liveness_continuation;
    out += "\n\nRun liveness continuation:";
    if (l.attempt)
      bullet(out, "attempt",
             std::to_string(*l.attempt) + (l.max_attempts ? "/" + std::to_string(*l.max_attempts) : ""));
    bullet_if(out, "source run", l.source_run_id);
    bullet_if(out, "liveness state", l.state);
    bullet_if(out, "liveness reason", l.reason);
    bullet_if(out, "instruction", l.instruction);
  }
  if (!p.child_issue_summaries.empty()) {
    out += "\n\nChild issues:";
    for (const auto& child : p.child_issue_summaries) {
      out.append("\n- ").append(named(child.identifier, child.id, child.title));
      if (child.status) out.append(" (").append(*child.status).append(")");
      if (child.summary) out.append(": ").append(*child.summary);
    }
    if (p.child_issue_summary_truncated) out += "\n[more children than shown]";
  }
}

void append_comments(std::string& out, const WakePayload& p) {
  if (p.comments.empty()) return;
  out += "\n\nNew comments in order:";
  int number = 0;
  for (const auto& comment : p.comments) {
    out.append("\n").append(std::to_string(++number)).append(". comment ").append(comment.id.value_or("unknown"));
    if (comment.created_at) out.append(" at ").append(*comment.created_at);
    if (comment.author_type) out.append(" by ").append(*comment.author_type);
    if (comment.author_id) out.append(" ").append(*comment.author_id);
    out.append("\n").append(comment.body);
    if (comment.body_truncated) out += "\n[comment truncated]";
  }
}

}  // namespace

std::string wake_prompt(const WakePayload& p, bool resumed) {
  std::string out;
  append_opening(out, p, resumed);
  append_bullets(out, p);
  if (p.execution_stage) append_stage(out, *p.execution_stage);
  append_background(out, p);
  if (p.checked_out_by_harness)
    out +=
        "\n\nThe issue is checked out for this run. Do not call `/checkout` again unless you switch to another issue.";
  append_comments(out, p);
  return out;
}

}  // namespace paperclip::adapters
