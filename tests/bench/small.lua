-- wrk's script of small.py: one span a request, every request with a trace id and a span id of its own.
-- Arguments: a file with the request (head and body), the zero-based places of its trace id and its span id, four letters for this run.
local char, floor = string.char, math.floor
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local template = file:read("*a")
  file:close()
  local trace, span = tonumber(args[2]), tonumber(args[3])
  head, middle, tail = template:sub(1, trace), template:sub(trace + 17, span), template:sub(span + 9)
  run, sent = args[4], 0
end

function request()
  sent = sent + 1
  local own = run .. char(number % 256, floor(sent / 65536) % 256, floor(sent / 256) % 256, sent % 256)
  return head .. own .. own .. middle .. own .. tail
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"requests": %d, "seconds": %f, "failed": %d, "p50": %f, "p99": %f}\n', summary.requests,
    summary.duration / 1e6, e.connect + e.read + e.write + e.timeout + e.status, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
