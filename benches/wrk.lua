-- Sends the tokens of a file in turn, and prints what came of it as JSON: wrk -s wrk.lua URL -- PATH FILE
local requests, turn = {}, 0

function init(arguments)
    for token in io.lines(arguments[2]) do
        requests[#requests + 1] = wrk.format("GET", arguments[1], {
            Host = "example.com", Authorization = "Bearer " .. token })
    end
end

function request()
    turn = turn % #requests + 1
    return requests[turn]
end

function done(summary, latency)
    local e = summary.errors
    print(string.format(
        '{"requests": %d, "seconds": %.6f, "refused": %d, "broken": %d, "median": %d}',
        summary.requests, summary.duration / 1e6, e.status, e.connect + e.read + e.write + e.timeout,
        latency:percentile(50)))
end
