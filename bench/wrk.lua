-- Posts a file. Ends with one line for the harness.

function init(args)
   local file = assert(io.open(args[1], "rb"))
   wrk.method = "POST"
   wrk.body = file:read("*a")
   wrk.headers["content-type"] = "application/json"
   wrk.headers["authorization"] = "Bearer bench"
   file:close()
end

function done(summary)
   local errors = summary.errors
   local broken = errors.connect + errors.read + errors.write + errors.timeout
   io.write(string.format("bench %d %d %d %d\n", summary.requests, summary.duration, errors.status, broken))
end
