-- POSTs to PATHS (a file with one path a line, taken in turn) the body in BODY, with %d replaced by a number that no other
-- request of this run has.
require "report"

local threads = 0
setup = function(thread)
  thread:set("id", threads)
  threads = threads + 1
end

local paths, sent = {}, 0
local body = os.getenv("BODY")
local headers = { ["content-type"] = "application/json" }

init = function()
  for line in io.lines(os.getenv("PATHS")) do paths[#paths + 1] = line end
end

request = function()
  sent = sent + 1
  return wrk.format("POST", paths[(sent - 1) % #paths + 1], headers, (string.gsub(body, "%%d", id * 100000000 + sent)))
end
